import Crypto

/// The SHA-256 of some content, fed piece by piece: how checkpoints and tokenizers are named.
public struct ContentHash: Sendable {
    private var hash = SHA256()

    public init() {}

    /// Appends bytes.
    public mutating func update(_ bytes: some Sequence<UInt8>) {
        hash.update(data: Array(bytes))
    }

    /// Appends the bytes of a span.
    public mutating func update(_ span: RawSpan) {
        // The buffer is only read during the call.
        unsafe span.withUnsafeBytes { buffer in unsafe hash.update(bufferPointer: buffer) }
    }

    /// Appends the UTF-8 bytes of a text, and their number before them, so that consecutive texts cannot run together.
    public mutating func update(_ text: String) {
        update("\(text.utf8.count):".utf8)
        update(text.utf8)
    }

    /// The 32 bytes of the hash in lower-case hexadecimal.
    public func hexadecimal() -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
