import CProtobufC
import CWire
public import Inference

/// A gateway asks who has an API key.
public struct AuthorizeRequest: Hashable, Sendable, WireMessage {
    /// Nil when the client showed none.
    public let key: KeyHash?

    public init(key: KeyHash?) { self.key = key }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__authorize_request__init)
            if let key { unsafe message.pointee.key_hash = unsafe arena.bytes(key.bytes) }
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "AuthorizeRequest", phalanx__v1__authorize_request__unpack) {
            message throws(WireError) in
            AuthorizeRequest(key: try unsafe WireReader.keyHash(message.pointee.key_hash, "AuthorizeRequest.key_hash"))
        }
    }
}

/// The coordinator's answer.
public enum AuthorizeReply: Hashable, Sendable, WireMessage {
    /// The name of the client; nil when no keys were made.
    case client(String?)
    case error(EngineError)

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__authorize_reply__init)
            switch self {
            case .client(let name):
                unsafe message.pointee.client = unsafe arena.optionalText(name, limit: WireLimits.nameByteCount)
            case .error(let error): unsafe message.pointee.error = unsafe arena.engineError(error)
            }
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "AuthorizeReply", phalanx__v1__authorize_reply__unpack) {
            message throws(WireError) in
            if let error = unsafe message.pointee.error { return .error(try unsafe EngineError(wire: error)) }
            return .client(
                try unsafe WireReader.text(
                    message.pointee.client, "AuthorizeReply.client", limit: WireLimits.nameByteCount))
        }
    }
}

extension WireReader {
    /// Nil for no bytes.
    static func keyHash(_ data: ProtobufCBinaryData, _ field: String) throws(WireError) -> KeyHash? {
        let bytes = try unsafe bytes(data, field)
        guard !bytes.isEmpty else { return nil }
        guard let hash = KeyHash(bytes) else {
            throw WireError(field, "has \(bytes.count) bytes, a SHA-256 has \(KeyHash.byteCount)")
        }
        return hash
    }
}

extension WireArena {
    func rateLimits(_ limits: RateLimits?) -> UnsafeMutablePointer<Phalanx__V1__RateLimits>? {
        guard let limits else { return nil }
        let message = unsafe make(phalanx__v1__rate_limits__init)
        unsafe message.pointee.requests = unsafe allowance(limits.requests)
        unsafe message.pointee.tokens = unsafe allowance(limits.tokens)
        return unsafe message
    }

    private func allowance(_ allowance: RateLimits.Allowance?) -> UnsafeMutablePointer<Phalanx__V1__Allowance>? {
        guard let allowance else { return nil }
        let message = unsafe make(phalanx__v1__allowance__init)
        unsafe message.pointee.limit = UInt64(clamping: allowance.limit)
        unsafe message.pointee.remaining = UInt64(clamping: allowance.remaining)
        unsafe message.pointee.reset_milliseconds = allowance.resetMilliseconds
        return unsafe message
    }
}

extension RateLimits {
    init?(wire pointer: UnsafeMutablePointer<Phalanx__V1__RateLimits>?) throws(WireError) {
        guard let message = unsafe pointer?.pointee else { return nil }
        self.init(
            requests: try unsafe Allowance(wire: message.requests), tokens: try unsafe Allowance(wire: message.tokens))
    }
}

extension RateLimits.Allowance {
    fileprivate init?(wire pointer: UnsafeMutablePointer<Phalanx__V1__Allowance>?) throws(WireError) {
        guard let message = unsafe pointer?.pointee else { return nil }
        self.init(
            limit: try WireReader.count(unsafe message.limit, "Allowance.limit"),
            remaining: try WireReader.count(unsafe message.remaining, "Allowance.remaining"),
            resetMilliseconds: try WireReader.finite(
                unsafe message.reset_milliseconds, "Allowance.reset_milliseconds"))
    }
}
