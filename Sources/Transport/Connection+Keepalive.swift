internal import HTTP2
internal import Logging
internal import NIOCore

// Deadlines that find peers which hang, went silent, or never said anything. On the event loop.
extension Connection {
    func startTimers() {
        handshakeTimer = loop.assumeIsolated().scheduleTask(in: TimeAmount(limits.handshakeTimeout)) { [weak self] in
            guard let self, !self.isReady else { return }
            let text = "\(self.peer) did not finish the HTTP/2 handshake within \(self.limits.handshakeTimeout)"
            self.logger.warning("dropping a connection: \(text)")
            self.close(RPCError(.unavailable, "\(text): is it a Phalanx node?"))
        }
        checkLater(in: limits.keepaliveInterval)
        if isServer {
            loop.assumeIsolated().scheduleTask(in: TimeAmount(limits.firstCallTimeout)) { [weak self] in
                guard let self, !self.callWasMade else { return }
                self.leave(RPCError(.unavailable, "\(self.peer) made no call within \(self.limits.firstCallTimeout)"))
            }
        }
    }

    /// The TLS handshake has said who the other side is. A guest has little time.
    func recognise(_ caller: Caller) {
        self.caller = caller
        guard caller == .guest else { return }
        loop.assumeIsolated().scheduleTask(in: TimeAmount(limits.guestTimeout)) { [weak self] in
            guard let self else { return }
            self.leave(RPCError(.deadlineExceeded, "\(self.peer) has no certificate, and its time is over"))
        }
    }

    private func checkLater(in time: Duration) {
        keepaliveTimer = loop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { [weak self] in
            self?.checkPeer()
        }
    }

    /// Pings a peer that has been silent, and drops it when it stays silent.
    private func checkPeer() {
        guard closeReason == nil else { return }
        if let node = caller.node, let objection = objection?(node) {
            logger.warning("ending a connection with \(peer): \(objection)")
            close(RPCError(.permissionDenied, "the connection with \(peer) was ended: \(objection)"))
            return
        }
        let silence = NIODeadline.now() - lastHeard
        let interval = TimeAmount(limits.keepaliveInterval)
        let timeout = TimeAmount(limits.keepaliveTimeout)
        if pingSent, silence >= timeout {
            let text =
                "\(peer) has been silent for \(silence.nanoseconds / 1_000_000) ms and answers no ping "
                + "(host down, process stopped, or network cut)"
            logger.warning("dropping a connection: \(text)")
            close(RPCError(.unavailable, text))
        } else if silence >= interval {
            pingSent = true
            try? session.ping(payload: lastHeard.uptimeNanoseconds)
            pump()
            checkLater(in: limits.keepaliveTimeout)
        } else {
            let rest = (interval - silence).nanoseconds
            checkLater(in: .nanoseconds(max(rest, 1_000_000)))
        }
    }
}
