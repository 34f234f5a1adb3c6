internal import HTTP2
internal import NIOCore

/// A call as the application sees it. All state is the event loop's; every method goes there and comes back.
///
/// Cancelling the task that waits in `send`, `finish` or `messages` cancels the call.
final class Call: RPCStream {
    let method: RPCMethod
    let peer: String
    let caller: Caller
    private let state: NIOLoopBound<CallState>

    /// Must be made on the state's event loop.
    init(_ state: CallState) {
        method = state.method
        peer = state.connection.peer
        caller = state.connection.caller
        self.state = NIOLoopBound(state, eventLoop: state.connection.loop)
    }

    deinit {
        let state = state
        state.eventLoop.execute { state.value.connection.abandon(state.value) }
    }

    var messages: RPCMessages {
        RPCMessages { try await self.next() }
    }

    private func next() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                state.eventLoop.execute { self.state.value.next(continuation) }
            }
        } onCancel: {
            cancelByTask()
        }
    }

    func send(_ message: [UInt8]) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                state.eventLoop.execute {
                    let state = self.state.value
                    state.connection.send(message, on: state, continuation)
                }
            }
        } onCancel: {
            cancelByTask()
        }
    }

    func finish() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            state.eventLoop.execute {
                let state = self.state.value
                do throws(RPCError) {
                    try state.connection.finish(state)
                    continuation.resume()
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    func cancel(_ status: RPCError) {
        let state = state
        state.eventLoop.execute { state.value.connection.cancel(state.value, status) }
    }

    private func cancelByTask() {
        cancel(RPCError(.cancelled, "\(method): the task that served or made the call was cancelled"))
    }
}
