public import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import Trust

/// The same transport inside one process, without sockets: for tests of what is built on it.
///
/// Everything above the bytes is the same code as over TCP: HTTP/2, flow control, deadlines, statuses. Nodes find each
/// other by "host:port" within one `LocalTransport`.
public final class LocalTransport: RPCTransport {
    private struct Door {
        let handlers: [RPCMethod: RPCHandler]
        let registry: ConnectionRegistry
    }

    private struct State {
        var doors: [String: Door] = [:]
        var nextPort = 49152
        var nextClient = 1
    }

    public let limits: TransportLimits
    private let logger: Logger
    private let state = Mutex(State())

    public init(
        limits: TransportLimits = TransportLimits(), logger: Logger = Logger(label: "phalanx.transport")
    ) {
        self.limits = limits
        self.logger = logger
    }

    public func listen(
        host: String, port: Int, handlers: [RPCMethod: RPCHandler]
    ) async throws -> any RPCListener {
        let registry = ConnectionRegistry(limit: limits.maxConnections)
        let chosen: Int? = state.withLock { state in
            var chosen = port
            if port == 0 {
                while state.doors["\(host):\(state.nextPort)"] != nil { state.nextPort += 1 }
                chosen = state.nextPort
                state.nextPort += 1
            }
            guard state.doors["\(host):\(chosen)"] == nil else { return nil }
            state.doors["\(host):\(chosen)"] = Door(handlers: handlers, registry: registry)
            return chosen
        }
        guard let chosen else {
            throw RPCError(
                .unavailable, "\(host):\(port) is in use by another node: choose another port, or 0 for a free one")
        }
        return LocalListener(host: host, port: chosen, registry: registry) { [weak self] in
            self?.state.withLock { $0.doors["\(host):\(chosen)"] = nil }
        }
    }

    public func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        let peer = "\(host):\(port)"
        let (door, number) = state.withLock { state in
            state.nextClient += 1
            return (state.doors[peer], state.nextClient)
        }
        guard let door else {
            throw RPCError(
                .unavailable, "connection refused: nothing listens at \(peer); start the node or correct the address")
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let limits = limits
        let logger = logger
        let connection = try await loop.submit {
            let client = try Connection(loop: loop, peer: peer, limits: limits, logger: logger, handlers: nil)
            let server = try Connection(
                loop: loop, peer: "local:\(number)", limits: limits, logger: logger, handlers: door.handlers)
            guard door.registry.add(server) else {
                throw RPCError(.unavailable, "\(peer) turned the connection away: it has too many, or is shutting down")
            }
            LocalLink.join(client, server, loop: loop)
            return ClientConnection(client)
        }.get()
        try await connection.waitUntilReady()
        return connection
    }
}

/// The door of a node in a `LocalTransport`.
final class LocalListener: RPCListener {
    let host: String
    let port: Int
    private let registry: ConnectionRegistry
    private let unlist: @Sendable () -> Void

    init(host: String, port: Int, registry: ConnectionRegistry, unlist: @escaping @Sendable () -> Void) {
        self.host = host
        self.port = port
        self.registry = registry
        self.unlist = unlist
    }

    deinit { unlist() }

    func shutdown(grace: Duration) async {
        unlist()
        await registry.shutdown(
            grace: grace, reason: RPCError(.unavailable, "the node at \(host):\(port) is shutting down"))
    }
}
