/// The texts of a vocabulary's tokens in a tree of bytes, laid out depth first.
public struct TokenVocabulary: Sendable {
    /// Ids are `0..<tokenCount`.
    public let tokenCount: Int
    /// The ids that end an answer.
    public let endTokens: [Int32]
    /// Whether a text begins with a space that is not meant, as SentencePiece's do.
    let hasDummyPrefix: Bool
    /// Per node, the root apart: its byte, its depth (from 1 on) and the first node behind its subtree.
    let bytes: [UInt8]
    let depths: [UInt16]
    let ends: [Int32]
    /// Node `n` completes the tokens `tokens[firstTokens[n]..<firstTokens[n + 1]]`.
    let firstTokens: [Int32]
    let tokens: [Int32]
    let maxDepth: Int
    /// The token's bytes, id by id.
    private let texts: [UInt8]
    private let textEnds: [UInt32]

    /// Sorts the tokens.
    ///
    /// - Parameters:
    ///   - tokens: Per id the bytes that it adds to the text; empty for structure, which no grammar can ask for.
    ///   - endTokens: The ids that end an answer.
    ///   - hasDummyPrefix: Whether a text begins with a space that is not meant, as SentencePiece's do.
    /// - Throws: `GrammarError` when a byte that text may have is no token: then not every text could be written.
    public init(tokens: [[UInt8]], endTokens: [Int32], hasDummyPrefix: Bool) throws(GrammarError) {
        var isThere = Array(repeating: false, count: 256)
        for token in tokens where token.count == 1 { isThere[Int(token[0])] = true }
        let usual = Array(0...0xBF) + Array(0xC2...0xF4)
        if let missing = usual.first(where: { !isThere[$0] }) {
            throw GrammarError(
                "the model's vocabulary has no token for the byte \(missing), so answers cannot be held to a grammar")
        }
        tokenCount = tokens.count
        self.hasDummyPrefix = hasDummyPrefix
        self.endTokens = endTokens.filter { $0 >= 0 && Int($0) < tokens.count }
        let isEnd = Set(endTokens)
        var texts: [UInt8] = []
        var textEnds: [UInt32] = []
        for token in tokens {
            texts += token
            textEnds.append(UInt32(texts.count))
        }
        self.texts = texts
        self.textEnds = textEnds
        let order = tokens.indices
            .filter { !tokens[$0].isEmpty && !isEnd.contains(Int32($0)) && tokens[$0].count <= Self.maxTokenByteCount }
            .sorted { tokens[$0].lexicographicallyPrecedes(tokens[$1]) || tokens[$0] == tokens[$1] && $0 < $1 }
        var bytes: [UInt8] = []
        var depths: [UInt16] = []
        var ends: [Int32] = []
        var firstTokens: [Int32] = []
        var open: [Int] = []
        var path: [UInt8] = []
        var sorted: [Int32] = []
        for id in order {
            let token = tokens[id]
            var common = 0
            while common < path.count, common < token.count, path[common] == token[common] { common += 1 }
            while open.count > common { ends[open.removeLast()] = Int32(bytes.count) }
            path.removeLast(path.count - common)
            for byte in token[common...] {
                path.append(byte)
                open.append(bytes.count)
                bytes.append(byte)
                depths.append(UInt16(path.count))
                ends.append(0)
                firstTokens.append(Int32(sorted.count))
            }
            sorted.append(Int32(id))
        }
        while let node = open.popLast() { ends[node] = Int32(bytes.count) }
        firstTokens.append(Int32(sorted.count))
        self.bytes = bytes
        self.ends = ends
        self.firstTokens = firstTokens
        self.tokens = sorted
        maxDepth = Int(depths.max() ?? 0)
        self.depths = depths
    }

    /// Longer tokens are never chosen: a text can do without them.
    private static let maxTokenByteCount = 1024

    /// 64-bit words of a mask.
    public var maskWordCount: Int { (tokenCount + 63) / 64 }

    /// The bytes that a token adds to the text.
    func text(_ token: Int32) -> ArraySlice<UInt8> {
        guard token >= 0, Int(token) < tokenCount else { return [] }
        return texts[(token == 0 ? 0 : Int(textEnds[Int(token) - 1]))..<Int(textEnds[Int(token)])]
    }

    func isEnd(_ token: Int32) -> Bool { endTokens.contains(token) }

    /// The node below the root with a byte.
    func child(ofRoot byte: UInt8) -> Int? {
        var node = 0
        while node < bytes.count {
            if bytes[node] == byte { return node }
            node = Int(ends[node])
        }
        return nil
    }
}
