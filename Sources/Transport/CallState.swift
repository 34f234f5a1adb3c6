internal import HTTP2
internal import NIOCore

/// One call as its connection sees it. Confined to the connection's event loop.
final class CallState {
    /// A message that came and was not taken yet.
    struct Received {
        let message: [UInt8]
        /// What it holds of the windows.
        let byteCount: Int
    }

    let id: HTTP2StreamID
    let method: RPCMethod
    let connection: Connection
    let contentType: String
    private var assembler: MessageAssembler
    private var inbox: [Received] = []
    private var firstInInbox = 0
    /// Bytes that came, belong to no complete message and have not been given back to the windows.
    private var heldByteCount = 0
    /// Bytes of the message under way that have been given back before it was complete.
    private var returnedByteCount = 0
    /// This call's part of the connection's `bufferedByteCount`.
    private var bufferedByteCount = 0
    private var reader: CheckedContinuation<[UInt8]?, any Error>?
    private var writers: [CheckedContinuation<Void, any Error>] = []
    /// Nil while the call runs; then how it ended.
    private(set) var outcome: Outcome?
    var handlerTask: Task<Void, Never>?
    var deadline: Scheduled<Void>?
    /// Whether the first header block of the answer was sent (server) or came (client).
    var answerBegan = false
    /// Whether our side has been ended: nothing more can be sent.
    var localEnded = false
    /// Whether the peer's side has ended.
    var remoteEnded = false
    /// Whether nobody will ask for messages any more.
    private var isAbandoned = false

    enum Outcome {
        case finished
        case failed(RPCError)
    }

    init(id: HTTP2StreamID, method: RPCMethod, connection: Connection, contentType: String) {
        self.id = id
        self.method = method
        self.connection = connection
        self.contentType = contentType
        assembler = MessageAssembler(limitByteCount: connection.limits.maxMessageByteCount(of: method))
    }

    /// The encoding that the peer announced for its messages.
    func announce(encoding: String?) { assembler.encoding = encoding }

    /// Whether a message has begun and is not complete.
    var isInsideMessage: Bool { assembler.isInsideMessage }

    // MARK: What the peer sent

    /// Takes bytes of the peer's messages.
    func receive(_ bytes: [UInt8]) {
        heldByteCount += bytes.count
        guard outcome == nil, !isAbandoned else {
            acknowledgeHeld()
            return
        }
        buffer(bytes.count)
        guard connection.bufferedByteCount <= connection.limits.maxBufferedByteCount else {
            abandon()
            let limit = connection.limits.maxBufferedByteCount
            connection.fail(
                self, RPCError(.resourceExhausted, "\(method): more than \(limit) bytes wait to be read here"))
            return
        }
        var messages: [[UInt8]] = []
        do throws(RPCError) {
            try assembler.push(bytes, to: &messages)
        } catch {
            connection.fail(self, RPCError(error.code, "\(method): \(error.message)"))
            return
        }
        for message in messages {
            let byteCount = message.count + MessageAssembler.prefixByteCount - returnedByteCount
            returnedByteCount = 0
            heldByteCount -= byteCount
            if let reader {
                self.reader = nil
                buffer(-message.count - MessageAssembler.prefixByteCount)
                connection.acknowledge(id, byteCount)
                reader.resume(returning: message)
            } else {
                inbox.append(Received(message: message, byteCount: byteCount))
            }
        }
        acknowledgeIfIdle()
    }

    private func buffer(_ byteCount: Int) {
        bufferedByteCount += byteCount
        connection.bufferedByteCount += byteCount
    }

    /// The bytes of a message under way are given back while nothing else waits: else a message larger than the
    /// window could never arrive. While complete messages wait, the peer may send a window more and then waits too.
    private func acknowledgeIfIdle() {
        if firstInInbox == inbox.count { acknowledgeHeld() }
    }

    private func acknowledgeHeld() {
        guard heldByteCount > 0 else { return }
        let byteCount = heldByteCount
        heldByteCount = 0
        returnedByteCount += byteCount
        connection.acknowledge(id, byteCount)
    }

    /// The peer ended its side. Returns false when it did so within a message.
    func endRemote() -> Bool {
        remoteEnded = true
        guard !assembler.isInsideMessage else { return false }
        if firstInInbox == inbox.count, let reader {
            self.reader = nil
            reader.resume(returning: nil)
        }
        return true
    }

    // MARK: What the application asks for

    /// Gives the next message now or later.
    func next(_ continuation: CheckedContinuation<[UInt8]?, any Error>) {
        if firstInInbox < inbox.count {
            let received = inbox[firstInInbox]
            inbox[firstInInbox] = Received(message: [], byteCount: 0)
            firstInInbox += 1
            if firstInInbox == inbox.count || firstInInbox > 64 {
                inbox.removeFirst(firstInInbox)
                firstInInbox = 0
            }
            buffer(-received.message.count - MessageAssembler.prefixByteCount)
            connection.acknowledge(id, received.byteCount)
            acknowledgeIfIdle()
            continuation.resume(returning: received.message)
            return
        }
        switch outcome {
        case .finished: continuation.resume(returning: nil)
        case .failed(let error): continuation.resume(throwing: error)
        case nil where remoteEnded && connection.isServer: continuation.resume(returning: nil)
        case nil where reader != nil:
            continuation.resume(
                throwing: RPCError(.failedPrecondition, "the messages of \(method) are read by two readers"))
        case nil: reader = continuation
        }
    }

    /// Waits until the peer has taken enough of what was sent.
    func wait(_ writer: CheckedContinuation<Void, any Error>) { writers.append(writer) }

    /// Lets those go on who wait to send.
    func resumeWriters() {
        let resumed = writers
        writers = []
        for writer in resumed { writer.resume() }
    }

    /// Why nothing can be sent, when that is so.
    var sendObstacle: RPCError? {
        switch outcome {
        case .failed(let error): error
        case .finished:
            RPCError(.failedPrecondition, "\(method) is over: \(connection.peer) or this node has ended it")
        case nil where localEnded:
            RPCError(.failedPrecondition, "\(method): nothing can be sent after finish()")
        case nil: nil
        }
    }

    /// Ends the call once; later ends are ignored. Returns whether this one counted.
    @discardableResult
    func end(_ outcome: Outcome) -> Bool {
        guard self.outcome == nil else { return false }
        self.outcome = outcome
        deadline?.cancel()
        deadline = nil
        let reader = reader
        let writers = writers
        self.reader = nil
        self.writers = []
        switch outcome {
        case .finished:
            reader?.resume(returning: nil)
            let error = RPCError(.failedPrecondition, "\(method) is over: \(connection.peer) has answered it")
            for writer in writers { writer.resume(throwing: error) }
        case .failed(let error):
            reader?.resume(throwing: error)
            for writer in writers { writer.resume(throwing: error) }
            handlerTask?.cancel()
        }
        handlerTask = nil
        return true
    }

    /// Forgets what came: nobody will take it. The windows get back what it cost.
    func abandon() {
        guard !isAbandoned else { return }
        isAbandoned = true
        for received in inbox[firstInInbox...] { heldByteCount += received.byteCount }
        inbox = []
        firstInInbox = 0
        assembler.clear()
        buffer(-bufferedByteCount)
        acknowledgeHeld()
    }
}
