import Inference
import Scheduling

/// The streams of the requests that the scheduler holds.
struct RequestStreams {
    private var continuations: [RequestTicket: AsyncThrowingStream<GenerationEvent, any Error>.Continuation] = [:]

    mutating func add(
        _ ticket: RequestTicket, _ continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) {
        continuations[ticket] = continuation
    }

    /// Hands an event to its stream; the last one ends it.
    mutating func deliver(_ event: SchedulerEvent) {
        guard let continuation = continuations[event.ticket] else { return }
        switch event {
        case .event(let ticket, let event):
            continuation.yield(event)
            if case .completed = event {
                continuation.finish()
                continuations[ticket] = nil
            }
        case .failed(let ticket, let error):
            continuation.finish(throwing: error)
            continuations[ticket] = nil
        }
    }
}
