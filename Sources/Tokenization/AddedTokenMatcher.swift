/// Finds added tokens in text, leftmost and then longest first, as the `tokenizers` library does.
struct AddedTokenMatcher: Sendable {
    /// A token and the text it takes, the white space it swallows included.
    struct Match: Equatable {
        var range: Range<Int>
        var id: Int32
    }

    private let tokens: [TokenizerDefinition.AddedToken]
    /// Trie edges: node and byte to node.
    private var edges: [UInt64: Int32] = [:]
    /// The token that ends at a node, or -1.
    private var tokenAtNode: [Int32] = [-1]
    private var beginsToken = [Bool](repeating: false, count: 256)

    init(_ tokens: [TokenizerDefinition.AddedToken]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            var node: Int32 = 0
            for byte in token.content {
                let edge = UInt64(node) << 8 | UInt64(byte)
                if let known = edges[edge] {
                    node = known
                } else {
                    node = Int32(tokenAtNode.count)
                    edges[edge] = node
                    tokenAtNode.append(-1)
                }
            }
            if tokenAtNode[Int(node)] < 0 { tokenAtNode[Int(node)] = Int32(index) }
            beginsToken[Int(token.content[0])] = true
        }
    }

    /// The added tokens of `text` (UTF-8), in order.
    ///
    /// A token is looked for within each of `regions` (ascending, apart from each other) alone; the white space that
    /// it swallows may lie outside, up to its neighbours.
    func matches(in text: [UInt8], regions: [Range<Int>]) -> [Match] {
        var found: [Match] = []
        for region in regions {
            var position = region.lowerBound
            while position < region.upperBound {
                guard beginsToken[Int(text[position])], let hit = longest(in: text, at: position, region) else {
                    position += 1
                    continue
                }
                let end = position + hit.content.count
                if !hit.isSingleWord || standsAlone(text, position..<end) {
                    append(hit, position..<end, text, to: &found)
                }
                position = end
            }
        }
        return found
    }

    private func longest(
        in text: [UInt8], at start: Int, _ region: Range<Int>
    ) -> TokenizerDefinition.AddedToken? {
        var node: Int32 = 0
        var best: Int32 = -1
        for position in start..<region.upperBound {
            guard let following = edges[UInt64(node) << 8 | UInt64(text[position])] else { break }
            node = following
            if tokenAtNode[Int(node)] >= 0 { best = tokenAtNode[Int(node)] }
        }
        return best < 0 ? nil : tokens[Int(best)]
    }

    private func append(
        _ token: TokenizerDefinition.AddedToken, _ range: Range<Int>, _ text: [UInt8], to found: inout [Match]
    ) {
        let floor = found.last?.range.upperBound ?? 0
        var (start, end) = (range.lowerBound, range.upperBound)
        // A neighbour may have swallowed the beginning of a token that itself begins with white space.
        guard end > floor else { return }
        start = max(start, floor)
        if token.stripsLeft {
            while start > floor {
                let before = UTF8Scalar.start(text, before: start)
                guard before >= floor, ScalarClass(UTF8Scalar.decode(text, at: before).scalar).isSpace else { break }
                start = before
            }
        }
        if token.stripsRight {
            while end < text.count {
                let (scalar, byteCount) = UTF8Scalar.decode(text, at: end)
                guard ScalarClass(scalar).isSpace else { break }
                end += byteCount
            }
        }
        found.append(Match(range: start..<end, id: token.id))
    }

    private func standsAlone(_ text: [UInt8], _ range: Range<Int>) -> Bool {
        if range.lowerBound > 0 {
            let before = UTF8Scalar.start(text, before: range.lowerBound)
            if ScalarClass(UTF8Scalar.decode(text, at: before).scalar).isWordCharacter { return false }
        }
        return range.upperBound == text.count
            || !ScalarClass(UTF8Scalar.decode(text, at: range.upperBound).scalar).isWordCharacter
    }
}
