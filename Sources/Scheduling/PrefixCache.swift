import Inference

/// A block of tokens that the cache knows, with all that come before it; never given out again within a plan.
struct PrefixBlockID: Hashable, Sendable {
    let rawValue: UInt64

    /// What the first block of a sequence follows.
    static let root = PrefixBlockID(rawValue: 0)
}

/// Which physical page holds the keys and values of which tokens: a tree of full pages (64 tokens each).
///
/// A block is found by its parent, the RoPE regime, the request's salt and its tokens, which are compared themselves: the
/// dictionary's hash only finds them. As the parent is a block again, equality of whole prefixes follows. Model, KV type
/// and numerics version are one and the same in a plan, and a new plan begins with an empty cache.
///
/// Only full pages are in here. No position of a full page is ever computed again by its sequence, so pages are shared
/// without copying: a sequence always writes into pages of its own.
struct PrefixCache: Sendable {
    private struct Key: Hashable {
        let parent: PrefixBlockID
        let regime: RopeRegime
        /// Of a first block; the others have it from their parent.
        let salt: String?
        let tokens: [Int32]

        init(parent: PrefixBlockID, regime: RopeRegime, salt: String?, tokens: [Int32]) {
            self.parent = parent
            self.regime = regime
            self.salt = parent == .root ? salt : nil
            self.tokens = tokens
        }
    }

    private struct Block {
        let id: PrefixBlockID
        let page: PageID
    }

    /// The beginning of a sequence that is there already.
    struct Match: Hashable, Sendable {
        var pages: [PageID] = []
        var lastBlock = PrefixBlockID.root
    }

    private var blocks: [Key: Block] = [:]
    /// The key under which a page is found; nil for one that is not in the cache.
    private var keys: [Key?]
    private var nextID: UInt64 = 1

    init(pageCount: Int) { keys = Array(repeating: nil, count: pageCount) }

    func contains(_ page: PageID) -> Bool { keys[Int(page.rawValue)] != nil }

    /// The longest known beginning of a sequence.
    ///
    /// - Parameters:
    ///   - pageLimit: the most pages that may be found.
    ///   - salt: only prefixes with an equal one are found.
    ///   - tokens: gives the tokens of a logical page.
    func match(pageLimit: Int, regime: RopeRegime, salt: String?, tokens: (Int) -> [Int32]) -> Match {
        var match = Match()
        while match.pages.count < pageLimit {
            let key = Key(
                parent: match.lastBlock, regime: regime, salt: salt, tokens: tokens(match.pages.count))
            guard let block = blocks[key] else { break }
            match.pages.append(block.page)
            match.lastBlock = block.id
        }
        return match
    }

    /// Remembers that a page holds these tokens after those of `parent`, and returns the block; when another page holds
    /// the same, that one stays and its block is returned.
    mutating func insert(
        _ page: PageID, after parent: PrefixBlockID, regime: RopeRegime, salt: String?, tokens: [Int32]
    ) -> PrefixBlockID {
        precondition(tokens.count == KVPage.positionCount, "only full pages are shared")
        let key = Key(parent: parent, regime: regime, salt: salt, tokens: tokens)
        if let block = blocks[key] { return block.id }
        precondition(keys[Int(page.rawValue)] == nil, "\(page) holds other tokens already")
        let id = PrefixBlockID(rawValue: nextID)
        nextID += 1
        blocks[key] = Block(id: id, page: page)
        keys[Int(page.rawValue)] = key
        return id
    }

    /// Forgets a page. What followed it is not found any more, and goes in its own time.
    mutating func remove(_ page: PageID) {
        guard let key = keys[Int(page.rawValue)] else { return }
        keys[Int(page.rawValue)] = nil
        blocks[key] = nil
    }
}
