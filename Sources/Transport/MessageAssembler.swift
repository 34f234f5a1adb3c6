/// Cuts a call's bytes into messages: a flag byte, a big-endian length, and that many bytes, again and again.
///
/// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (Length-Prefixed-Message).
struct MessageAssembler {
    /// Bytes before each message.
    static let prefixByteCount = 5

    private let limitByteCount: Int
    private var prefix: [UInt8] = []
    private var message: [UInt8] = []
    private var missingByteCount = 0
    /// The `grpc-encoding` that the peer announced, if any.
    var encoding: String?

    init(limitByteCount: Int) { self.limitByteCount = limitByteCount }

    /// Whether a message has begun and is not complete.
    var isInsideMessage: Bool { !prefix.isEmpty }

    /// The prefix of a message.
    static func prefix(byteCount: Int) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: byteCount >> (24 - 8 * $0)) }
    }

    /// Adds bytes and appends the messages that they complete to `messages`.
    ///
    /// - Throws: `RPCError` when a message is larger than the limit, before anything is allocated for it, or compressed.
    mutating func push(_ bytes: [UInt8], to messages: inout [[UInt8]]) throws(RPCError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if prefix.count < Self.prefixByteCount {
                let part = rest.prefix(Self.prefixByteCount - prefix.count)
                prefix.append(contentsOf: part)
                rest = rest.dropFirst(part.count)
                guard prefix.count == Self.prefixByteCount else { return }
                try begin()
            } else {
                let part = rest.prefix(missingByteCount)
                message.append(contentsOf: part)
                missingByteCount -= part.count
                rest = rest.dropFirst(part.count)
            }
            if missingByteCount == 0 {
                messages.append(message)
                message = []
                prefix.removeAll(keepingCapacity: true)
            }
        }
    }

    /// Forgets the message under way.
    mutating func clear() {
        prefix = []
        message = []
        missingByteCount = 0
    }

    private mutating func begin() throws(RPCError) {
        let length = prefix[1...].reduce(0) { $0 << 8 | Int($1) }
        switch prefix[0] {
        case 0: break
        case 1:
            guard let encoding, encoding != "identity" else {
                throw RPCError(.internalError, "a message is marked as compressed, but no grpc-encoding was announced")
            }
            throw RPCError(
                .unimplemented, "messages compressed with \(encoding) are not taken here: send them uncompressed")
        default:
            throw RPCError(.internalError, "a message begins with the flags \(prefix[0]); 0 or 1 was expected")
        }
        guard length <= limitByteCount else {
            throw RPCError(
                .resourceExhausted,
                "a message of \(length) bytes is larger than the limit of \(limitByteCount): send it in parts")
        }
        missingByteCount = length
        // What a peer merely announces is not allocated at once; the array grows with what comes.
        message.reserveCapacity(min(length, 16 << 20))
    }
}
