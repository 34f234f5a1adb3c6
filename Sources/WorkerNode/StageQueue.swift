import Inference
import Synchronization

/// The steps that wait for a stage, in order, each at most once.
///
/// Steps of lower epochs and steps that came before are dropped; a gap is an error. The coordinator's credits bound
/// how many steps can wait; more than `capacity` is a peer's fault and refused.
final class StageQueue: Sendable {
    enum Verdict: Sendable {
        case accepted, duplicate
        case refused(String)
    }

    private struct State {
        var nextNumber: UInt64 = 0
        var waitingCount = 0
    }

    let epoch: Epoch
    let activations: AsyncStream<Activation>
    private let continuation: AsyncStream<Activation>.Continuation
    private let capacity: Int
    private let state = Mutex(State())

    init(epoch: Epoch, capacity: Int) {
        self.epoch = epoch
        self.capacity = capacity
        (activations, continuation) = AsyncStream.makeStream(of: Activation.self)
    }

    func offer(_ activation: Activation) -> Verdict {
        let step = activation.step
        if step.epoch < epoch { return .duplicate }
        if step.epoch > epoch {
            return .refused("step \(step.number) is of \(step.epoch), this stage serves \(epoch)")
        }
        // Yielding inside the lock keeps the order of the numbers.
        return state.withLock { state in
            if step.number < state.nextNumber { return .duplicate }
            guard step.number == state.nextNumber else {
                return .refused("step \(step.number) came where step \(state.nextNumber) was due")
            }
            guard state.waitingCount < capacity else {
                return .refused("more than \(capacity) steps wait at this stage")
            }
            state.nextNumber += 1
            state.waitingCount += 1
            continuation.yield(activation)
            return .accepted
        }
    }

    /// One step was taken from `activations` and is done.
    func finished() { state.withLock { $0.waitingCount -= 1 } }

    func close() { continuation.finish() }
}
