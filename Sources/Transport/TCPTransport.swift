public import Logging
internal import NIOCore
internal import NIOPosix
public import Trust

/// gRPC over TCP: HTTP/2 with prior knowledge, or over TLS where the node has credentials.
public final class TCPTransport: RPCTransport {
    public let limits: TransportLimits
    private let security: TransportSecurity?
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup

    /// - Parameters:
    ///   - limits: What peers may do; both sides of a connection should have the same.
    ///   - security: How to encrypt and whom to trust; nil speaks in plain text with anybody.
    public init(
        limits: TransportLimits = TransportLimits(), security: TransportSecurity? = nil,
        logger: Logger = Logger(label: "phalanx.transport")
    ) {
        self.limits = limits
        self.security = security
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
        let security = security
        let admitsGuests = handlers[Services.enrol] != nil
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
                    let tls = security.map { _ in TLSPeer(expected: .any) }
                    if let security, let tls {
                        let handler = try security.serverHandler(for: tls, admitsGuests: admitsGuests)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try Self.configure(channel, connection, tls, security)
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
    public func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        let peer = Self.address(host, port)
        guard (1...65535).contains(port) else {
            throw RPCError(.invalidArgument, "\(peer): a port is a number from 1 to 65535")
        }
        var limits = limits
        limits.handshakeTimeout = min(limits.handshakeTimeout, timeout)
        let final = limits
        let logger = logger
        let security = security
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
                        let tls = security.map { _ in TLSPeer(expected: expected) }
                        if let security, let tls {
                            try channel.pipeline.syncOperations.addHandler(security.clientHandler(for: tls))
                        }
                        try Self.configure(channel, connection, tls, security)
                        return ClientConnection(connection)
                    }
                }
            try await connection.waitUntilReady()
            return connection
        } catch {
            throw SocketErrors.connecting(to: peer, within: timeout, error)
        }
    }

    private static func configure(
        _ channel: any Channel, _ connection: Connection, _ tls: TLSPeer?, _ security: TransportSecurity?
    ) throws {
        connection.objection = security.map { security in { security.objection(to: $0) } }
        try channel.pipeline.syncOperations.addHandler(SocketLink(connection, tls: tls))
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
