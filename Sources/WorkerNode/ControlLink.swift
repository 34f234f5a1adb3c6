import Inference
import Logging
import Transport
import Wire

/// The worker's side of the control stream: messages go out in the order in which they were given.
final class ControlLink: Sendable {
    private let outgoing: AsyncStream<WorkerMessage>.Continuation
    private let writer: Task<Void, Never>
    private let heartbeats = TaskSlot()

    init(stream: any RPCStream, logger: Logger) {
        let (messages, continuation) = AsyncStream.makeStream(of: WorkerMessage.self)
        outgoing = continuation
        writer = Task {
            do {
                for await message in messages { try await stream.send(message.wireBytes()) }
                try await stream.finish()
            } catch {
                // The reader of the same stream sees the end and joins again.
                logger.debug("The control stream broke", metadata: ["error": "\(error)"])
            }
        }
    }

    func send(_ message: WorkerMessage) { outgoing.yield(message) }

    func startHeartbeats(everyMilliseconds pace: Int, _ heartbeat: @escaping @Sendable () async -> Heartbeat?) {
        let outgoing = outgoing
        heartbeats.set(
            Task {
                while !Task.isCancelled {
                    if let beat = await heartbeat() { outgoing.yield(.heartbeat(beat)) }
                    try? await Task.sleep(for: .milliseconds(pace))
                }
            })
    }

    func close() {
        heartbeats.set(nil)
        outgoing.finish()
    }
}
