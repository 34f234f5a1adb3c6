internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// What the system says about sockets, in words that help.
enum SocketErrors {
    /// A short text for an error of the system.
    static func text(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        switch error.errnoCode {
        case ECONNRESET: return "the other side reset it (its process may have died)"
        case EPIPE: return "the other side closed it"
        case ETIMEDOUT: return "the network gave up on it"
        default: return error.description
        }
    }

    /// Why a connection broke: in few words, and `unauthenticated` when trying again would not help.
    ///
    /// - Parameter refusal: why this node has refused the other's certificate, if it has.
    static func broken(_ error: any Error, refusal: String?) -> RPCError {
        if let refusal { return RPCError(.unauthenticated, "its certificate was refused: \(refusal)") }
        return switch error {
        case let error as RPCError: error
        case NIOSSLError.uncleanShutdown:
            RPCError(.unavailable, "the other side closed it without a farewell (its process may have died)")
        case NIOSSLError.handshakeFailed(let cause): tls("\(cause)")
        case let error as BoringSSLError: tls("\(error)")
        default: RPCError(.unavailable, text(error))
        }
    }

    /// What BoringSSL's reasons mean here. Alerts of the other side have ALERT in their names.
    private static func tls(_ reasons: String) -> RPCError {
        if reasons.contains("ALERT_CERTIFICATE_REQUIRED") {
            return RPCError(
                .unauthenticated,
                "it lets nobody in without a certificate now: `phalanx cluster invite` makes a join token, good for once"
            )
        }
        if reasons.contains("_ALERT_"), reasons.contains("CERTIFICATE") || reasons.contains("UNKNOWN_CA") {
            return RPCError(
                .unauthenticated,
                "it does not accept this node's certificate (expired, revoked, or of another cluster)")
        }
        if reasons.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
            return RPCError(.unauthenticated, "it showed no certificate")
        }
        if ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "EOF during handshake"].contains(where: { reasons.contains($0) }) {
            return RPCError(.unavailable, "it does not speak TLS: does it run without credentials?")
        }
        return RPCError(.unavailable, "the TLS handshake failed: \(reasons)")
    }

    /// Why a connection could not be made.
    static func connecting(to peer: String, within timeout: Duration, _ error: any Error) -> RPCError {
        if let error = error as? RPCError { return error }
        if error is CancellationError { return RPCError(.cancelled, "connecting to \(peer) was cancelled") }
        if case ChannelError.connectTimeout = error {
            return RPCError(
                .unavailable,
                "\(peer) did not accept a connection within \(timeout): check the address and any firewall between")
        }
        guard let failures = error as? NIOConnectionError else {
            return refusal(peer, error)
        }
        if let last = failures.connectionErrors.last { return refusal(peer, last.error) }
        return RPCError(
            .unavailable,
            "the host of \(peer) is unknown (\(failures.dnsAAAAError ?? failures.dnsAError ?? error)): check the name")
    }

    private static func refusal(_ peer: String, _ error: any Error) -> RPCError {
        switch (error as? IOError)?.errnoCode {
        case ECONNREFUSED:
            RPCError(
                .unavailable, "connection refused: nothing listens at \(peer); start the node or correct the address")
        case EHOSTUNREACH, ENETUNREACH:
            RPCError(.unavailable, "there is no way to \(peer) from this machine: check the address and the network")
        default:
            RPCError(.unavailable, "cannot connect to \(peer): \(text(error))")
        }
    }

    /// Why a node could not listen.
    static func listening(at address: String, _ error: any Error) -> RPCError {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            RPCError(.unavailable, "\(address) is in use by another process: choose another port, or 0 for a free one")
        case EACCES:
            RPCError(.permissionDenied, "this user may not listen at \(address): choose a port above 1023")
        case EADDRNOTAVAIL:
            RPCError(.invalidArgument, "this machine has no address \(address): check the host")
        default:
            RPCError(.unavailable, "cannot listen at \(address): \(text(error))")
        }
    }
}
