import Inference
import Logging
import Scheduling

/// The streams of the requests that the scheduler holds.
struct RequestStreams {
    private struct Stream {
        let continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
        /// Names the request in each line.
        let logger: Logger
    }

    private var streams: [RequestTicket: Stream] = [:]

    mutating func add(
        _ ticket: RequestTicket, _ continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation,
        logger: Logger
    ) {
        streams[ticket] = Stream(continuation: continuation, logger: logger)
    }

    /// Hands an event to its stream; the last one ends it.
    mutating func deliver(_ event: SchedulerEvent) {
        guard let stream = streams[event.ticket] else { return }
        switch event {
        case .event(let ticket, let event):
            stream.continuation.yield(event)
            if case .completed(let usage) = event {
                stream.logger.info("Finished", metadata: usage.metadata)
                stream.continuation.finish()
                streams[ticket] = nil
            }
        case .failed(let ticket, let error):
            stream.logger.notice("Failed", metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
            stream.continuation.finish(throwing: error)
            streams[ticket] = nil
        }
    }
}

extension GenerationUsage {
    fileprivate var metadata: Logger.Metadata {
        [
            "prompt_tokens": "\(promptTokenCount)", "cached_tokens": "\(cachedTokenCount)",
            "completion_tokens": "\(completionTokenCount)", "queue_milliseconds": "\(queueMilliseconds)",
            "prefill_milliseconds": "\(prefillMilliseconds)", "decode_milliseconds": "\(decodeMilliseconds)",
        ]
    }
}
