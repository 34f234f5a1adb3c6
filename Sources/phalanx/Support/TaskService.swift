import ServiceLifecycle

/// A service that is one asynchronous call.
struct TaskService: Service {
    private let stopsGracefully: Bool
    private let body: @Sendable () async throws -> Void

    /// - Parameter stopsGracefully: the call notices a graceful shutdown itself; otherwise it is cancelled.
    init(stopsGracefully: Bool = false, _ body: @escaping @Sendable () async throws -> Void) {
        self.stopsGracefully = stopsGracefully
        self.body = body
    }

    func run() async throws {
        if stopsGracefully { return try await body() }
        do {
            try await cancelWhenGracefulShutdown { try await body() }
        } catch is CancellationError {
            // The way to end it.
        }
    }
}
