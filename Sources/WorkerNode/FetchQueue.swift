/// Which piece of a checkpoint is fetched next, and from whom: pure.
///
/// A source that does not have a piece is not asked for it again; one that gave wrong bytes or cannot be reached any more is
/// closed. When nobody is left for a piece, the fetch is over.
struct FetchQueue {
    enum Next: Hashable {
        case piece(Int)
        /// Others fetch what is left; it may come back.
        case wait
        /// There is nothing more to do for the source.
        case over
    }

    private struct Source {
        var lacking: Set<Int> = []
        /// Pieces that it lacked one after the other.
        var lackCount = 0
        var problem: String?
    }

    /// A source that lacks so many pieces in a row is not asked again.
    static let lackLimit = 8

    /// The last one goes first.
    private var waiting: [Int]
    private var underWayCount = 0
    private var sources: [Source]
    /// Whether a piece is left that no source has.
    private(set) var isStuck = false

    init(pieces: [Int], sourceCount: Int) {
        waiting = pieces.reversed()
        sources = Array(repeating: Source(), count: sourceCount)
        findStuck()
    }

    /// Whether every piece was delivered.
    var isDone: Bool { waiting.isEmpty && underWayCount == 0 }

    /// Whether a source may still be of use.
    func isOpen(_ source: Int) -> Bool { !isDone && !isStuck && sources[source].problem == nil }

    /// What is wrong with each source; nil for one that only lacks pieces.
    func problem(of source: Int) -> String? { sources[source].problem }

    mutating func next(for source: Int) -> Next {
        guard isOpen(source) else { return .over }
        guard let place = waiting.lastIndex(where: { !sources[source].lacking.contains($0) }) else { return .wait }
        underWayCount += 1
        return .piece(waiting.remove(at: place))
    }

    mutating func delivered(by source: Int) {
        underWayCount -= 1
        sources[source].lackCount = 0
    }

    /// The piece is for somebody else; the source may have others.
    mutating func lacks(_ piece: Int, _ source: Int) {
        sources[source].lacking.insert(piece)
        sources[source].lackCount += 1
        if sources[source].lackCount >= Self.lackLimit { sources[source].problem = "it does not have the weights" }
        giveBack(piece)
    }

    /// The piece was not delivered, for no reason of its own.
    mutating func giveBack(_ piece: Int) {
        underWayCount -= 1
        waiting.append(piece)
        findStuck()
    }

    /// Nothing more is fetched from a source.
    mutating func close(_ source: Int, _ problem: String) {
        sources[source].problem = sources[source].problem ?? problem
        findStuck()
    }

    private mutating func findStuck() {
        isStuck =
            isStuck
            || waiting.contains { piece in
                sources.allSatisfy { $0.problem != nil || $0.lacking.contains(piece) }
            }
    }
}
