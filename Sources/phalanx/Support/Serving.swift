import Foundation
import Gateway
import Inference
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Services that run until a signal ends them.
enum Serving {
    /// A gateway that is about to listen.
    struct GatewayHandle: Sendable {
        let service: any Service
        private let bound: AsyncStream<String>

        init(service: any Service, bound: AsyncStream<String>) {
            self.service = service
            self.bound = bound
        }

        /// Waits until the gateway listens and returns its address, such as "http://127.0.0.1:8080".
        func url() async throws -> String {
            for await url in bound { return url }
            throw CancellationError()
        }
    }

    /// How much longer than running answers everything may take to end; then it is cut off.
    private static let farewell = Duration.seconds(10)

    static func gateway(
        engine: any Engine, host: String, port: Int, api: APIOptions, logs: LogOptions
    ) async throws -> GatewayHandle {
        let (bound, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
        let scheme = api.isEncrypted ? "https" : "http"
        let filter = try api.filter.map { try ContentFilter.load($0) }
        let logger = logs.logger("phalanx.gateway")
        let auditLog = try api.auditLog.map {
            try AuditLog(path: $0, includesText: api.auditText, logger: logger)
        }
        let server = GatewayServer(
            engine: engine, configuration: api.configuration(host: host, port: port),
            logger: logger, filter: filter, auditLog: auditLog
        ) { port in
            continuation.yield("\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)")
        }
        let service = TaskService(stopsGracefully: true) {
            // Whoever waits for the address must not wait for a gateway that could not listen.
            defer { continuation.finish() }
            do {
                try await server.run()
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                throw CommandError(
                    "\(host):\(port) is in use by another program; choose another port for the OpenAI API, or 0 for a "
                        + "free one")
            }
        }
        return GatewayHandle(service: service, bound: bound)
    }

    /// Runs the services until SIGTERM or SIGINT; the first one that fails ends them all, and its error is thrown.
    static func run(_ services: [any Service], api: APIOptions, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = Duration.seconds(api.shutdownGrace) + farewell
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Waits for the end of the task.
    static func untilCancelled() async throws {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
