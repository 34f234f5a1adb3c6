import Dispatch

/// Work that blocks its thread, on a disk above all: it must not hold up Swift's cooperative pool.
public enum BlockingWork {
    private static let queue = DispatchQueue(label: "phalanx.blocking", qos: .utility, attributes: .concurrent)

    /// Runs `body` on a thread where it may block.
    public static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
