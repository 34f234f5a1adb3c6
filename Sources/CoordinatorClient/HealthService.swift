public import Transport
import Wire

/// The standard health service, grpc.health.v1, as every node answers it
/// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
public enum HealthService {
    /// How often Watch looks for a change.
    private static let watchPause = Duration.milliseconds(200)

    /// - Parameters:
    ///   - services: names that are known besides "", the whole node; all have the same state.
    ///   - serving: the state; asked for every check, so it must be quick.
    public static func handlers(
        services: Set<String> = [], serving: @escaping @Sendable () -> Bool
    ) -> [RPCMethod: RPCHandler] {
        let known = services.union([""])
        return [
            Services.healthCheck: { stream in
                let service = try await EngineService.question(HealthCheckRequest.self, stream).service
                guard known.contains(service) else {
                    throw RPCError(.notFound, "this node has no service \(service.prefix(200))")
                }
                try await stream.send(HealthCheckResponse(status: status(serving())).wireBytes())
            },
            Services.healthWatch: { stream in
                let service = try await EngineService.question(HealthCheckRequest.self, stream).service
                var last: HealthCheckResponse.ServingStatus?
                // Ends when the client cancels the call: the sleep then throws.
                while true {
                    let now = known.contains(service) ? status(serving()) : .serviceUnknown
                    if now != last { try await stream.send(HealthCheckResponse(status: now).wireBytes()) }
                    last = now
                    try await Task.sleep(for: watchPause)
                }
            },
        ]
    }

    /// Asks a node once. Throws `RPCError` when it cannot be asked or does not serve.
    public static func check(
        _ connection: any RPCConnection, service: String = "", timeout: Duration
    ) async throws {
        let answer = try await connection.unary(
            Services.healthCheck, HealthCheckRequest(service: service).wireBytes(), timeout: timeout)
        let response: HealthCheckResponse
        do throws(WireError) {
            response = try HealthCheckResponse(wireBytes: answer)
        } catch {
            throw RPCError(.internalError, "\(connection.peer) answered a health check with nonsense: \(error)")
        }
        guard response.status == .serving else {
            throw RPCError(.unavailable, "\(connection.peer) does not serve (\(response.status))")
        }
    }

    private static func status(_ isServing: Bool) -> HealthCheckResponse.ServingStatus {
        isServing ? .serving : .notServing
    }
}
