import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Inference
public import Logging
import NIOCore
public import ServiceLifecycle

/// An HTTP server that speaks OpenAI's, Anthropic's and Ollama's APIs and lets any engine answer.
///
/// On graceful shutdown it takes no new connections, finishes the answers that are on their way as far as there is time,
/// and returns.
public struct GatewayServer: Service {
    private let engine: any Engine
    private let configuration: GatewayConfiguration
    private let logger: Logger
    private let loadCodec: ServedModel.CodecLoader
    private let filter: ContentFilter?
    private let auditLog: AuditLog?
    private let onRunning: @Sendable (_ port: Int) async -> Void

    /// - Parameters:
    ///   - engine: What answers. It need not be ready yet.
    ///   - filter: What prompts and answers are held against.
    ///   - auditLog: Where requests are written down.
    ///   - onRunning: Called once with the bound port, when connections are taken.
    public init(
        engine: any Engine, configuration: GatewayConfiguration, logger: Logger, filter: ContentFilter? = nil,
        auditLog: AuditLog? = nil,
        onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.init(
            engine: engine, configuration: configuration, logger: logger, loadCodec: TokenizerCodec.load,
            filter: filter, auditLog: auditLog, onRunning: onRunning)
    }

    init(
        engine: any Engine, configuration: GatewayConfiguration, logger: Logger,
        loadCodec: @escaping ServedModel.CodecLoader, filter: ContentFilter? = nil, auditLog: AuditLog? = nil,
        onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.engine = engine
        self.configuration = configuration
        self.logger = logger
        self.loadCodec = loadCodec
        self.filter = filter
        self.auditLog = auditLog
        self.onRunning = onRunning
    }

    /// Binds the port and serves until graceful shutdown. Throws when the port cannot be bound, and `GatewayFileError` when
    /// the certificate is no good.
    public func run() async throws {
        let farewell = Ending()
        let application = try application(farewell)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await application.run()
                return true
            }
            group.addTask { [configuration] in
                try? await gracefulShutdown()
                try? await Task.sleep(for: .milliseconds(configuration.shutdownGraceMilliseconds))
                farewell.reach()
                return false
            }
            while let hasEnded = try await group.next(), !hasEnded {}
            group.cancelAll()
        }
    }

    private func application(_ farewell: Ending) throws -> Application<GatewayResponder> {
        let metrics = GatewayMetrics()
        let responder = GatewayResponder(
            engine: engine, model: ServedModel(engine: engine, load: loadCodec),
            responses: MemoryResponseStore(limits: configuration.responses), configuration: configuration,
            metrics: metrics, logger: logger, farewell: farewell, filter: filter, auditLog: auditLog)
        let plain = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [ConnectionWatch(), ConnectionCount(metrics)],
                idleTimeout: .milliseconds(Int64(configuration.idleMilliseconds)),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 128)))
        let server =
            try configuration.tls.map { files in
                try HTTPServerBuilder.tls(
                    plain, tlsConfiguration: CertificateFiles(files, logger: logger).configuration)
            } ?? plain
        return Application(
            responder: responder, server: server,
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "phalanx",
                availableConnectionsDelegate: .maximum(configuration.maxConnectionCount, logger: logger)),
            onServerRunning: { [onRunning] channel in
                await onRunning(channel.localAddress?.port ?? 0)
            },
            logger: logger)
    }
}
