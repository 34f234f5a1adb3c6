import ServiceLifecycle

/// A service that is one asynchronous call; a graceful shutdown cancels it.
struct TaskService: Service {
    private let body: @Sendable () async throws -> Void

    init(_ body: @escaping @Sendable () async throws -> Void) { self.body = body }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await body() }
        } catch is CancellationError {
            // The way to end it.
        }
    }
}
