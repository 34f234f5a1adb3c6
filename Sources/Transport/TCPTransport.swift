public import Logging
internal import NIOCore
internal import NIOPosix

/// gRPC over TCP: HTTP/2 with prior knowledge, not encrypted.
///
/// Encryption has its place in `configure`: a TLS handler goes before the link, and nothing else changes.
public final class TCPTransport: RPCTransport {
    public let limits: TransportLimits
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup

    /// - Parameter limits: What peers may do; both sides of a connection should have the same.
    public init(
        limits: TransportLimits = TransportLimits(), logger: Logger = Logger(label: "phalanx.transport")
    ) {
        self.limits = limits
        self.logger = logger
        group = .singleton
    }

    /// Listens and serves `handlers`.
    ///
    /// - Parameter port: 0 takes a free one; the listener says which.
    /// - Throws: `RPCError` when the address cannot be had.
    public func listen(
        host: String, port: Int, handlers: [RPCMethod: RPCHandler]
    ) async throws -> any RPCListener {
        let registry = ConnectionRegistry(limit: limits.maxConnections)
        let limits = limits
        let logger = logger
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = try Connection(
                        loop: channel.eventLoop, peer: Self.address(channel.remoteAddress), limits: limits,
                        logger: logger, handlers: handlers)
                    guard registry.add(connection) else {
                        logger.warning(
                            "turning \(connection.peer) away: \(limits.maxConnections) connections are open already")
                        throw RPCError(.resourceExhausted, "too many connections")
                    }
                    try Self.configure(channel, connection)
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
            .childChannelOption(.recvAllocator, value: Self.receiveBuffer)
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: host, port: port).get()
        } catch {
            throw SocketErrors.listening(at: Self.address(host, port), error)
        }
        return TCPListener(
            host: host, port: channel.localAddress?.port ?? port, channel: channel, registry: registry)
    }

    /// Connects and waits until the peer has shown that it speaks HTTP/2.
    ///
    /// - Throws: `RPCError` (`unavailable`) with the address and what to do.
    public func connect(host: String, port: Int, timeout: Duration) async throws -> any RPCConnection {
        let peer = Self.address(host, port)
        guard (1...65535).contains(port) else {
            throw RPCError(.invalidArgument, "\(peer): a port is a number from 1 to 65535")
        }
        var limits = limits
        limits.handshakeTimeout = min(limits.handshakeTimeout, timeout)
        let final = limits
        let logger = logger
        do {
            let connection = try await ClientBootstrap(group: group)
                .connectTimeout(TimeAmount(timeout))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.writeBufferWaterMark, value: Self.waterMark)
                .channelOption(.recvAllocator, value: Self.receiveBuffer)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = try Connection(
                            loop: channel.eventLoop, peer: peer, limits: final, logger: logger, handlers: nil)
                        try Self.configure(channel, connection)
                        return ClientConnection(connection)
                    }
                }
            try await connection.waitUntilReady()
            return connection
        } catch {
            throw SocketErrors.connecting(to: peer, within: timeout, error)
        }
    }

    private static func configure(_ channel: any Channel, _ connection: Connection) throws {
        try channel.pipeline.syncOperations.addHandler(SocketLink(connection))
    }

    /// Bytes that may wait for the socket before the session is asked for no more.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)

    private static var receiveBuffer: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16 << 10, maximum: 1 << 20)
    }

    private static func address(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else { return "an unnamed peer" }
        return Self.address(host, port)
    }

    /// "host:port", with brackets around what has colons itself (IPv6).
    private static func address(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
