internal import HTTP2
internal import Logging
internal import NIOCore

// What the application asks a connection for. On the event loop.
extension Connection {
    /// Begins a call (client).
    func open(_ method: RPCMethod, timeout: Duration?) throws(RPCError) -> CallState {
        if let closeReason { throw closeReason }
        if let drainReason { throw drainReason }
        if let timeout, timeout <= .zero {
            throw RPCError(.deadlineExceeded, "\(method): the deadline passed before the call began")
        }
        let isBulk = limits.bulkMethods.contains(method)
        let contentType = isBulk ? "application/grpc+phalanx" : "application/grpc"
        let fields = RequestHead.fields(of: method, authority: peer, contentType: contentType, timeout: timeout)
        let stream: HTTP2StreamID
        do throws(HTTP2Error) {
            stream = try session.submitRequest(fields, endStream: false)
        } catch {
            throw RPCError(.unavailable, "\(method) on \(peer): \(error)")
        }
        let state = CallState(id: stream, method: method, connection: self, contentType: contentType)
        calls[stream] = state
        if let timeout {
            state.deadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) { [weak self, weak state] in
                guard let self, let state else { return }
                self.cancel(
                    state,
                    RPCError(.deadlineExceeded, "\(method) on \(self.peer) was not answered within \(timeout)"))
            }
        }
        pump()
        return state
    }

    /// Sends a message and resumes `writer` when enough of it is on its way.
    func send(_ message: [UInt8], on state: CallState, _ writer: CheckedContinuation<Void, any Error>) {
        if let obstacle = state.sendObstacle {
            writer.resume(throwing: obstacle)
            return
        }
        let limit = limits.maxMessageByteCount(of: state.method)
        guard message.count <= limit, message.count <= Int(UInt32.max) else {
            writer.resume(
                throwing: RPCError(
                    .resourceExhausted,
                    "\(state.method): a message of \(message.count) bytes is larger than the limit of \(limit)"))
            return
        }
        do throws(HTTP2Error) {
            if isServer { try beginAnswer(state) }
            let prefix = MessageAssembler.prefix(byteCount: message.count)
            try session.send(stream: state.id, [prefix, message])
        } catch {
            writer.resume(throwing: RPCError(.unavailable, "\(state.method) with \(peer): \(error)"))
            return
        }
        pump()
        if let obstacle = state.sendObstacle {
            writer.resume(throwing: obstacle)
        } else if session.pendingByteCount(stream: state.id) <= limits.outboundBufferByteCount {
            writer.resume()
        } else {
            state.wait(writer)
        }
    }

    /// Ends our side: a client's half, or a server's answer with status OK.
    func finish(_ state: CallState) throws(RPCError) {
        if case .failed(let error) = state.outcome { throw error }
        guard state.outcome == nil, !state.localEnded else { return }
        if isServer {
            answer(state, nil)
        } else {
            state.localEnded = true
            do throws(HTTP2Error) {
                try session.end(stream: state.id)
            } catch {
                throw RPCError(.unavailable, "\(state.method) with \(peer): \(error)")
            }
            pump()
        }
    }

    /// Ends a call from this side before its time.
    func cancel(_ state: CallState, _ status: RPCError) {
        guard state.outcome == nil else { return }
        if isServer {
            answer(state, status)
        } else {
            state.end(.failed(status))
            reset(state, .cancel)
        }
    }

    /// Ends a call because of what the peer sent.
    func fail(_ state: CallState, _ status: RPCError) { cancel(state, status) }

    /// Nobody holds the call any more.
    func abandon(_ state: CallState) {
        state.abandon()
        guard state.outcome == nil else { return }
        cancel(state, RPCError(.cancelled, "\(state.method) was given up by this node"))
    }

    /// Ends a call with a status (server); nil is OK.
    func answer(_ state: CallState, _ status: RPCError?) {
        guard state.outcome == nil, !state.localEnded else { return }
        state.localEnded = true
        let trailers = ResponseHead.trailers(status)
        do throws(HTTP2Error) {
            if status != nil, state.answerBegan { session.discardBody(stream: state.id) }
            if state.answerBegan {
                try session.end(stream: state.id, trailers: trailers)
            } else {
                state.answerBegan = true
                try session.submitResponse(
                    stream: state.id, ResponseHead.begin(contentType: state.contentType) + trailers, endStream: true)
            }
        } catch {
            logger.debug("\(state.method) with \(peer) could not be answered: \(error)")
        }
        state.end(status.map { .failed($0) } ?? .finished)
        pump()
    }

    private func beginAnswer(_ state: CallState) throws(HTTP2Error) {
        guard !state.answerBegan else { return }
        state.answerBegan = true
        try session.submitResponse(
            stream: state.id, ResponseHead.begin(contentType: state.contentType), endStream: false)
    }

    /// Resets a call's stream.
    func reset(_ state: CallState, _ code: HTTP2ErrorCode) {
        guard calls[state.id] != nil else { return }
        state.localEnded = true
        try? session.reset(stream: state.id, code: code)
        pump()
    }
}
