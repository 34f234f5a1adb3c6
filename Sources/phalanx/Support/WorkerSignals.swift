import ServiceLifecycle
import UnixSignals
import WorkerNode

/// Ends a worker on signals: SIGTERM has it drained first; SIGINT, or another SIGTERM, ends it at once.
struct WorkerSignals: Service {
    let worker: Worker
    let patience: Duration

    func run() async throws {
        var isLeaving = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint).cancelOnGracefulShutdown() {
            guard signal == .sigterm, !isLeaving else { return }
            isLeaving = true
            await worker.leave(within: patience)
        }
    }
}
