import Inference
import Logging
import Transport
import Wire

/// The coordinator's side of a worker's control stream: messages go out in the order in which they were given.
final class WorkerLink: Sendable {
    let stream: any RPCStream
    private let outgoing: AsyncStream<(message: CoordinatorMessage, sent: (@Sendable () -> Void)?)>.Continuation
    private let writer: Task<Void, Never>

    init(stream: any RPCStream, logger: Logger) {
        self.stream = stream
        let (messages, continuation) = AsyncStream.makeStream(
            of: (message: CoordinatorMessage, sent: (@Sendable () -> Void)?).self)
        outgoing = continuation
        writer = Task {
            do {
                for await (message, sent) in messages {
                    try await stream.send(message.wireBytes())
                    sent?()
                }
            } catch {
                // The reader of the same stream sees its end and reports the worker as lost.
                logger.debug("A control stream broke", metadata: ["peer": "\(stream.peer)", "error": "\(error)"])
            }
        }
    }

    /// Sends a message after those before it; `sent` is called once the network has it.
    func send(_ message: CoordinatorMessage, sent: (@Sendable () -> Void)? = nil) { outgoing.yield((message, sent)) }

    /// Sends what is waiting, then lets the stream's handler return.
    func close() async {
        outgoing.finish()
        await writer.value
    }

    func drop(_ reason: String) {
        outgoing.finish()
        stream.cancel(RPCError(.unavailable, reason))
    }
}
