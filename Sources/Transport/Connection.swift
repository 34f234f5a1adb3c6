internal import HTTP2
internal import Logging
internal import NIOCore
internal import Trust

/// One side of a connection: an HTTP/2 session, the calls on it, and the link that carries its bytes.
///
/// Confined to its event loop. `Connection+Calls` has what the application asks for, `Connection+Events` what the peer
/// does, `Connection+Keepalive` the deadlines.
final class Connection {
    let loop: any EventLoop
    /// "host:port" of the other side.
    let peer: String
    let limits: TransportLimits
    let logger: Logger
    /// The methods served; nil for a client's side.
    let handlers: [RPCMethod: RPCHandler]?
    /// What the TLS handshake found out; set before the first byte of HTTP/2 comes.
    var caller = Caller.anybody
    /// Asked now and then: why connections with a node must end, when that is so.
    var objection: ((NodeIdentity) -> String?)?
    let session: HTTP2Session
    var calls: [HTTP2StreamID: CallState] = [:]
    /// Streams that were refused and are to be reset when the refusal is written, unless the peer ends them first.
    var refused: Set<HTTP2StreamID> = []
    /// Bytes of messages that came and were not taken yet, of all calls.
    var bufferedByteCount = 0
    /// Whether the peer's settings have come.
    var isReady = false
    /// Why no new calls are taken, when that is so.
    var drainReason: RPCError?
    /// Why the connection is down, once it is.
    private(set) var closeReason: RPCError?
    var lastHeard = NIODeadline.now()
    var pingSent = false
    var callWasMade = false
    var keepaliveTimer: Scheduled<Void>?
    var handshakeTimer: Scheduled<Void>?
    private var link: (any ByteLink)?
    private var isPumping = false
    /// Whether something happened while bytes were being moved that calls for another round.
    private var pumpAgain = false
    private var readyWaiters: [CheckedContinuation<Void, any Error>] = []
    private var closeWaiters: [Int: CheckedContinuation<RPCError, Never>] = [:]
    private var lastWaiter = 0
    private var onClose: [() -> Void] = []
    /// Runs once, when the handshake is done.
    var onReady: (() -> Void)?

    init(
        loop: any EventLoop, peer: String, limits: TransportLimits, logger: Logger,
        handlers: [RPCMethod: RPCHandler]?
    ) throws {
        self.loop = loop
        self.peer = peer
        self.limits = limits
        self.logger = logger
        self.handlers = handlers
        session = try HTTP2Session(role: handlers == nil ? .client : .server, limits: limits.http2)
    }

    var isServer: Bool { handlers != nil }

    // MARK: Life

    /// Begins to speak over a link.
    func start(_ link: any ByteLink) {
        self.link = link
        lastHeard = .now()
        startTimers()
        pump()
    }

    /// Takes bytes from the link.
    func receive(_ bytes: RawSpan) {
        guard closeReason == nil, !bytes.isEmpty else { return }
        lastHeard = .now()
        pingSent = false
        do throws(HTTP2Error) {
            try session.receive(bytes, nowNanoseconds: lastHeard.uptimeNanoseconds)
        } catch {
            dispatchEvents()
            breakOff(error)
            return
        }
        pump()
    }

    /// Moves bytes to the link and events to the calls until neither is left.
    func pump() {
        guard closeReason == nil, let link else { return }
        guard !isPumping else {
            pumpAgain = true
            return
        }
        isPumping = true
        defer { isPumping = false }
        do throws(HTTP2Error) {
            while closeReason == nil {
                var progressed = false
                var wrote = false
                pumpAgain = false
                while closeReason == nil, link.isWritable, let output = try session.takeOutput(limitByteCount: 1 << 20)
                {
                    link.write(output)
                    wrote = true
                    progressed = true
                }
                // Flushing may make the link writable again before it returns.
                if wrote { link.flush() }
                if dispatchEvents() { progressed = true }
                if !progressed, !pumpAgain { break }
            }
        } catch {
            breakOff(error)
            return
        }
        guard closeReason == nil else { return }
        if session.isOver {
            let complaint = session.complaint.map { ": \($0)" } ?? ""
            close(drainReason ?? RPCError(.unavailable, "the connection with \(peer) has ended\(complaint)"))
        } else if drainReason != nil, calls.isEmpty, refused.isEmpty, !isServer {
            close(drainReason ?? RPCError(.unavailable, "the connection with \(peer) has ended"))
        }
    }

    @discardableResult
    private func dispatchEvents() -> Bool {
        let events = session.takeEvents()
        for event in events where closeReason == nil { handle(event) }
        return !events.isEmpty
    }

    /// Ends a connection whose peer cannot be spoken with; says a last word if it can still be said.
    private func breakOff(_ error: HTTP2Error) {
        let code: HTTP2ErrorCode = error.kind == .flood ? .enhanceYourCalm : .protocolError
        if error.kind != .badPreface {
            try? session.terminate(code: code)
            if let output = try? session.takeOutput(limitByteCount: 16 << 10) {
                link?.write(output)
                link?.flush()
            }
        }
        let advice =
            error.kind == .badPreface ? ": something that is not a Phalanx node or gRPC client uses this port" : ""
        logger.warning("dropping the connection with \(peer): \(error)\(advice)")
        close(RPCError(.unavailable, "the connection with \(peer) was dropped: \(error)\(advice)"))
    }

    /// The link is gone, for the reason given.
    func linkClosed(_ reason: String, code: RPCError.Code = .unavailable) {
        close(drainReason ?? RPCError(code, "the connection with \(peer) was lost: \(reason)"))
    }

    /// The link has room again.
    func linkWritable() { pump() }

    /// Ends everything at once: calls fail with `reason`, the link is closed, those who wait are told.
    func close(_ reason: RPCError) {
        guard closeReason == nil else { return }
        closeReason = reason
        keepaliveTimer?.cancel()
        handshakeTimer?.cancel()
        let ended = calls.values
        calls = [:]
        for call in ended { call.end(.failed(reason)) }
        link?.close()
        link = nil
        for waiter in readyWaiters { waiter.resume(throwing: reason) }
        readyWaiters = []
        for waiter in closeWaiters.values { waiter.resume(returning: reason) }
        closeWaiters = [:]
        for action in onClose { action() }
        onClose = []
    }

    /// Says good-bye (GOAWAY) and closes with `reason`.
    func leave(_ reason: RPCError) {
        guard closeReason == nil else { return }
        drainReason = reason
        try? session.terminate(code: .noError)
        pump()
        close(reason)
    }

    /// Takes no new calls; closes when the last one has ended (`leave` after a grace period is the caller's part).
    func drain(_ reason: RPCError) {
        guard closeReason == nil, drainReason == nil else { return }
        drainReason = reason
        if isServer { try? session.goAway(code: .noError, message: reason.message) }
        pump()
        closeIfDrained()
    }

    /// Closes a draining connection that has nothing left to do.
    func closeIfDrained() {
        guard let drainReason, calls.isEmpty, refused.isEmpty else { return }
        leave(drainReason)
    }

    // MARK: Those who wait

    /// Resumes once the handshake is done.
    func whenReady(_ waiter: CheckedContinuation<Void, any Error>) {
        if let closeReason {
            waiter.resume(throwing: closeReason)
        } else if isReady {
            waiter.resume()
        } else {
            readyWaiters.append(waiter)
        }
    }

    func becomeReady() {
        guard !isReady else { return }
        isReady = true
        onReady?()
        onReady = nil
        handshakeTimer?.cancel()
        handshakeTimer = nil
        for waiter in readyWaiters { waiter.resume() }
        readyWaiters = []
    }

    /// Resumes once the connection is down. Returns a number to give up waiting with.
    func whenClosed(_ waiter: CheckedContinuation<RPCError, Never>) -> Int? {
        if let closeReason {
            waiter.resume(returning: closeReason)
            return nil
        }
        lastWaiter += 1
        closeWaiters[lastWaiter] = waiter
        return lastWaiter
    }

    func stopWaiting(_ number: Int) {
        closeWaiters.removeValue(forKey: number)?.resume(
            returning: RPCError(.cancelled, "the wait for the end of the connection with \(peer) was cancelled"))
    }

    /// Runs `action` when the connection is down (at once if it is).
    func onClose(_ action: @escaping () -> Void) {
        if closeReason != nil { action() } else { onClose.append(action) }
    }

    /// Gives window back to the peer.
    func acknowledge(_ stream: HTTP2StreamID, _ byteCount: Int) {
        guard closeReason == nil else { return }
        do {
            try session.consume(stream: stream, byteCount: byteCount)
        } catch {
            logger.debug("window of \(peer): \(error)")
        }
        pump()
    }
}
