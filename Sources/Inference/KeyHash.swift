/// SHA-256 of an API key. The key itself goes no further than the gateway.
public struct KeyHash: Hashable, Sendable {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }
}
