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

    /// How long answers on their way may still take after a signal; then they are cut off.
    private static let longestFarewell = Duration.seconds(10)

    static func gateway(engine: any Engine, host: String, port: Int, logs: LogOptions) async throws -> GatewayHandle {
        let (bound, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
        let server = GatewayServer(
            engine: engine, configuration: GatewayConfiguration(host: host, port: port),
            logger: logs.logger("phalanx.gateway")
        ) { port in
            continuation.yield("http://\(host.contains(":") ? "[\(host)]" : host):\(port)")
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
    static func run(_ services: [any Service], logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = longestFarewell
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Waits for the end of the task.
    static func untilCancelled() async throws {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
