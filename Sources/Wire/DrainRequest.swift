import CWire

/// Which worker is to be drained.
public struct DrainRequest: Hashable, Sendable, WireMessage {
    public let node: String

    public init(node: String) { self.node = node }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__drain_request__init)
            unsafe message.pointee.node = unsafe arena.text(node, limit: WireLimits.nameByteCount)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "DrainRequest", phalanx__v1__drain_request__unpack) {
            message throws(WireError) in
            DrainRequest(node: try unsafe WireReader.string(message.pointee.node, "DrainRequest.node"))
        }
    }
}
