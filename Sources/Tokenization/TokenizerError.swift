/// Why a tokenizer could not be built, or a chat not be rendered.
public struct TokenizerError: Error, Equatable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable {
        private enum Wrapped: Hashable, Sendable { case malformed, unsupported, limitExceeded, chat }
        private let wrapped: Wrapped

        /// The file or message is not what it claims to be.
        public static let malformed = Code(wrapped: .malformed)
        /// Well formed, but of a kind that this implementation does not know.
        public static let unsupported = Code(wrapped: .unsupported)
        /// Larger than any real tokenizer; refused before memory is spent on it.
        public static let limitExceeded = Code(wrapped: .limitExceeded)
        /// The messages cannot be rendered by the model's chat template.
        public static let chat = Code(wrapped: .chat)
    }

    /// The kind of failure.
    public let code: Code
    /// What was wrong, where, and what to do about it.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// Bounds on what a tokenizer may hold; far above every published model of the family.
enum TokenizerLimits {
    static let pieceCount = 1 << 20
    static let pieceByteCount = 4096
    static let totalPieceByteCount = 48 << 20
    static let mergeCount = 1 << 22
    static let addedTokenCount = 1 << 14
    static let templateByteCount = 1 << 20
    static let endOfSequenceCount = 256
    static let fileByteCount = 256 << 20
    static let jsonDepth = 64
}
