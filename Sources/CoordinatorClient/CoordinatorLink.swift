import Inference
import Logging
import Transport
import Trust

/// The connection to the coordinator: made when it is needed, kept while it stands, made again when it broke.
///
/// After a failed attempt the next ones wait: within the pause callers get the last failure at once. The pause
/// doubles with every failure, up to a limit, and is forgotten with the first success.
actor CoordinatorLink {
    nonisolated let host: String
    nonisolated let port: Int
    private let transport: any RPCTransport
    private let logger: Logger
    private let clock = ContinuousClock()

    private var connection: (any RPCConnection)?
    /// Raised with every new connection, so that the end of an old one is not taken for that of the current one.
    private var generation = 0
    private var attempt: Task<any RPCConnection, any Error>?
    private var pause = CoordinatorLink.shortestPause
    private var lastFailure: (error: EngineError, until: ContinuousClock.Instant)?

    static let connectTimeout = Duration.seconds(5)
    static let shortestPause = Duration.milliseconds(50)
    static let longestPause = Duration.seconds(2)

    init(transport: any RPCTransport, host: String, port: Int, logger: Logger) {
        self.transport = transport
        self.host = host
        self.port = port
        self.logger = logger
    }

    nonisolated var address: String { "\(host):\(port)" }

    /// A connection that stood a moment ago. Throws `EngineError` (`unavailable`).
    func current() async throws -> any RPCConnection {
        if let connection { return connection }
        if let attempt { return try await attempt.value }
        if let lastFailure, clock.now < lastFailure.until { throw lastFailure.error }
        let transport = transport
        let (host, port) = (host, port)
        let attempt = Task {
            try await transport.connect(
                host: host, port: port, timeout: Self.connectTimeout, expecting: .coordinator)
        }
        self.attempt = attempt
        let result = await attempt.result
        self.attempt = nil
        switch result {
        case .success(let connection):
            logger.info("Connected to the coordinator", metadata: ["address": "\(address)"])
            keep(connection)
            return connection
        case .failure(let error):
            let failure = EngineError(
                code: .unavailable,
                message: "the coordinator at \(address) cannot be reached: "
                    + "\((error as? RPCError)?.message ?? "\(error)")",
                retryAfterSeconds: 2)
            lastFailure = (failure, clock.now + pause)
            pause = min(pause * 2, Self.longestPause)
            throw failure
        }
    }

    /// Forgets a connection that a call found broken.
    func discard(_ broken: any RPCConnection) async {
        guard let connection, ObjectIdentifier(connection as AnyObject) == ObjectIdentifier(broken as AnyObject) else {
            return
        }
        self.connection = nil
        await broken.close()
    }

    func close() async {
        let connection = connection
        self.connection = nil
        await connection?.close()
    }

    private func keep(_ connection: any RPCConnection) {
        self.connection = connection
        lastFailure = nil
        pause = Self.shortestPause
        generation += 1
        let generation = generation
        Task { [weak self] in
            let reason = await connection.waitUntilClosed()
            await self?.lose(generation, reason)
        }
    }

    private func lose(_ lost: Int, _ reason: RPCError) {
        guard lost == generation, connection != nil else { return }
        connection = nil
        logger.warning("Lost the coordinator", metadata: ["address": "\(address)", "reason": "\(reason)"])
    }
}
