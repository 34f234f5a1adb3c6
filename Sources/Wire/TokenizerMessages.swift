import CWire

/// Which tokenizer's definition is wanted.
public struct TokenizerRequest: Hashable, Sendable, WireMessage {
    /// SHA-256 of the definition, hexadecimal.
    public let hash: String

    public init(hash: String) { self.hash = hash }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__tokenizer_request__init)
            unsafe message.pointee.hash = unsafe arena.text(hash, limit: WireLimits.nameByteCount)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "TokenizerRequest", phalanx__v1__tokenizer_request__unpack) {
            message throws(WireError) in
            TokenizerRequest(hash: try unsafe WireReader.string(message.pointee.hash, "TokenizerRequest.hash"))
        }
    }
}

/// A piece of a tokenizer's definition.
public struct TokenizerChunk: Hashable, Sendable, WireMessage {
    /// Of the whole definition.
    public let totalByteCount: Int
    public let bytes: [UInt8]

    public init(totalByteCount: Int, bytes: [UInt8]) {
        self.totalByteCount = totalByteCount
        self.bytes = bytes
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__tokenizer_chunk__init)
            unsafe message.pointee.total_byte_count = UInt64(clamping: totalByteCount)
            unsafe message.pointee.data.data = unsafe arena.array(bytes)
            unsafe message.pointee.data.len = bytes.count
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "TokenizerChunk", phalanx__v1__tokenizer_chunk__unpack) {
            message throws(WireError) in
            let total = 0...WireLimits.tokenizerByteCount
            return TokenizerChunk(
                totalByteCount: try WireReader.int(
                    unsafe message.pointee.total_byte_count, total, "TokenizerChunk.total_byte_count"),
                bytes: try unsafe WireReader.array(
                    message.pointee.data.data, message.pointee.data.len, limit: WireLimits.tokenizerChunkByteCount,
                    "TokenizerChunk.data"))
        }
    }
}
