internal import HTTP2
internal import Logging
internal import NIOCore

// What the peer did. On the event loop, called by `pump`.
extension Connection {
    func handle(_ event: HTTP2Event) {
        switch event {
        case .headers(let stream, let fields, let endStream):
            if let state = calls[stream] {
                if !isServer { readAnswer(state, fields, endStream: endStream) }
                if endStream { endRemote(state) }
            } else if isServer {
                serve(stream, fields, endStream: endStream)
            }
        case .headersTooLarge(let stream, let endStream):
            let error = RPCError(
                .resourceExhausted,
                "headers over the limit of \(limits.maxHeaderCount) fields and \(limits.maxHeaderListByteCount) bytes")
            if let state = calls[stream] {
                fail(state, error)
            } else if isServer {
                refuse(stream, .status(error), endStream: endStream)
            }
        case .data(let stream, let bytes):
            if let state = calls[stream] {
                state.receive(bytes)
            } else {
                acknowledge(stream, bytes.count)
            }
        case .endOfStream(let stream):
            refused.remove(stream)
            if let state = calls[stream] {
                if !isServer, state.outcome == nil {
                    fail(state, RPCError(.internalError, "\(peer) ended \(state.method) without a status"))
                }
                endRemote(state)
            }
        case .localEndWritten(let stream):
            // A server that has answered does not want the rest of the request (RFC 9113, section 8.1).
            if refused.remove(stream) != nil || (isServer && calls[stream]?.remoteEnded == false) {
                try? session.reset(stream: stream, code: .noError)
            }
        case .bodyWritten(let stream, let pendingByteCount):
            if pendingByteCount <= limits.outboundBufferByteCount { calls[stream]?.resumeWriters() }
        case .closed(let stream, let code):
            refused.remove(stream)
            closed(stream, code)
        case .settings:
            becomeReady()
        case .pong:
            break
        case .goAway(_, let code, let message):
            let text = message.isEmpty ? "" : ": \(message)"
            let reason = RPCError(.unavailable, "\(peer) takes no more calls (\(code))\(text)")
            if drainReason == nil { drainReason = reason }
        }
    }

    /// Lets a bulk call's peer send more before it must wait.
    private func raiseWindow(_ state: CallState) {
        guard limits.bulkMethods.contains(state.method) else { return }
        do throws(HTTP2Error) {
            try session.raiseWindow(
                stream: state.id, streamByteCount: limits.bulkWindowByteCount,
                connectionByteCount: limits.bulkWindowByteCount)
        } catch {
            // The call works with the ordinary window too, only slower.
            logger.debug("\(state.method) with \(peer) stays on a small window: \(error)")
        }
    }

    private func endRemote(_ state: CallState) {
        if !state.endRemote() {
            fail(state, RPCError(.internalError, "\(state.method): \(peer) stopped within a message"))
        }
    }

    private func closed(_ stream: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        guard let state = calls.removeValue(forKey: stream) else { return }
        if state.outcome == nil, !isServer, let drainReason, !state.answerBegan {
            // The farewell came before the call went out, or the peer said that it did not look at it.
            state.end(.failed(drainReason))
        } else if state.outcome == nil {
            let how = isServer ? "the client reset" : "\(peer) reset"
            state.end(.failed(RPCError(RPCError.Code(code), "\(how) \(state.method) (\(code))")))
        }
        closeIfDrainedSoon()
    }

    /// Closing ends `pump`, which is running now, so it comes afterwards.
    private func closeIfDrainedSoon() {
        guard drainReason != nil, calls.isEmpty else { return }
        loop.assumeIsolated().execute { [weak self] in self?.closeIfDrained() }
    }

    // MARK: Client

    private func readAnswer(_ state: CallState, _ fields: [HTTP2Header], endStream: Bool) {
        guard state.outcome == nil else { return }
        if !state.answerBegan {
            // Interim answers (1xx) say nothing.
            if fields.first(":status")?.hasPrefix("1") == true, !endStream { return }
            state.answerBegan = true
            if let problem = ResponseHead.problem(fields, peer: peer) {
                fail(state, problem)
                return
            }
            state.announce(encoding: fields.first("grpc-encoding"))
            if !endStream {
                raiseWindow(state)
                return
            }
        }
        var status = ResponseHead.status(fields, peer: peer)
        if status == nil, state.isInsideMessage {
            status = RPCError(.internalError, "\(peer) ended \(state.method) within a message")
        }
        let wasEnded = state.localEnded
        state.end(status.map { .failed($0) } ?? .finished)
        guard !wasEnded else { return }
        // The call is over; a reset would count against us where resets are counted.
        state.localEnded = true
        try? session.end(stream: state.id)
    }

    // MARK: Server

    private func serve(_ stream: HTTP2StreamID, _ fields: [HTTP2Header], endStream: Bool) {
        let head: RequestHead
        do throws(RequestHead.Refusal) {
            head = try RequestHead(fields)
        } catch {
            refuse(stream, error, endStream: endStream)
            return
        }
        guard drainReason == nil else {
            try? session.reset(stream: stream, code: .refusedStream)
            return
        }
        guard let handler = handlers?[head.method] else {
            let text = "this node has no method \(head.method): does it run another version or role?"
            refuse(stream, .status(RPCError(.unimplemented, text)), endStream: endStream)
            return
        }
        guard caller.mayCall(head.method) else {
            let text =
                caller.node.map { "\($0) may not call \(head.method)" } ?? "\(head.method) is for nodes of the cluster"
            refuse(stream, .status(RPCError(.permissionDenied, text)), endStream: endStream)
            return
        }
        // One at a time and one in all: whoever has a join token needs no more.
        guard caller != .guest || !callWasMade else {
            refuse(stream, .status(RPCError(.resourceExhausted, "a guest has one call")), endStream: endStream)
            return
        }
        callWasMade = true
        let state = CallState(
            id: stream, method: head.method, connection: self, contentType: head.contentType)
        state.announce(encoding: head.encoding)
        calls[stream] = state
        raiseWindow(state)
        if let timeout = head.timeout { setDeadline(state, timeout) }
        if endStream { endRemote(state) }
        run(handler, state)
    }

    private func setDeadline(_ state: CallState, _ timeout: Duration) {
        // A header may say more hours than the clock can count; a day is as good.
        let bounded = TimeAmount(min(timeout, .seconds(86_400)))
        state.deadline = loop.assumeIsolated().scheduleTask(in: bounded) { [weak self, weak state] in
            guard let self, let state else { return }
            self.cancel(state, RPCError(.deadlineExceeded, "\(state.method) took longer than \(timeout)"))
        }
    }

    private func run(_ handler: @escaping RPCHandler, _ state: CallState) {
        let call = Call(state)
        let logger = logger
        state.handlerTask = Task {
            do {
                try await handler(call)
                try await call.finish()
            } catch let error as RPCError {
                call.cancel(error)
            } catch is CancellationError {
                call.cancel(RPCError(.cancelled, "\(call.method) was cancelled on the node that served it"))
            } catch {
                logger.error("\(call.method) from \(call.peer) failed: \(error)")
                call.cancel(
                    RPCError(.internalError, "\(call.method) failed on the node that served it: its log says why"))
            }
        }
    }

    private func refuse(_ stream: HTTP2StreamID, _ refusal: RequestHead.Refusal, endStream: Bool) {
        let fields =
            switch refusal {
            case .http(let status, let text): ResponseHead.plain(status: status, text: text)
            case .status(let error):
                ResponseHead.begin(contentType: "application/grpc") + ResponseHead.trailers(error)
            }
        if !endStream { refused.insert(stream) }
        do throws(HTTP2Error) {
            try session.submitResponse(stream: stream, fields, endStream: true)
        } catch {
            refused.remove(stream)
            logger.debug("stream \(stream) of \(peer) could not be refused: \(error)")
        }
    }
}
