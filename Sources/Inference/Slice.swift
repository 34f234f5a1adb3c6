/// The rotary regime of a sequence: LongRoPE has one set of factors up to the original context and one beyond it.
public enum RopeRegime: UInt8, Sendable, Hashable {
    case short = 0
    case long = 1
}

/// What the last stage is to answer for a slice.
public struct SliceOutputs: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Sample the token that follows the slice's last row.
    public static let sample = SliceOutputs(rawValue: 1)
    /// Score the prompt's token that follows each row (the prompt is known from the admission).
    public static let promptLogprobs = SliceOutputs(rawValue: 2)
    /// Take the rows into the mean of the prompt's last hidden states, which is told with the prompt's last row.
    public static let embedding = SliceOutputs(rawValue: 4)
}

/// The physical pages of some consecutive logical pages of a sequence.
///
/// Logical page `n` holds the absolute positions from `n * KVPage.positionCount` on.
public struct PageAssignment: Hashable, Sendable {
    /// The logical page that `pages[0]` stands for.
    public let firstLogicalPage: Int
    public let pages: [PageID]

    public init(firstLogicalPage: Int, pages: [PageID]) {
        self.firstLogicalPage = firstLogicalPage
        self.pages = pages
    }
}

/// The constants of KV pages.
public enum KVPage {
    /// Positions per page, aligned to absolute positions.
    public static let positionCount = 64

    /// Pages that hold positions `0..<positionCount`.
    public static func count(holding positionCount: Int) -> Int {
        (positionCount + Self.positionCount - 1) / Self.positionCount
    }
}

/// Consecutive positions of one sequence that are computed in one step: a decode token or a chunk of the prompt.
public struct Slice: Hashable, Sendable {
    public let sequence: SequenceID
    /// The absolute position of the first row.
    public let firstPosition: Int
    /// The token ids of the rows. Only stage 0 looks them up; later stages need the count.
    public let tokens: [Int32]
    public let regime: RopeRegime
    public let outputs: SliceOutputs
    /// Changes of the sequence's page table that hold from this step on; empty when nothing changes.
    public let pages: [PageAssignment]
    /// What may be sampled; nil for everything.
    public var mask: TokenMask?

    public init(
        sequence: SequenceID, firstPosition: Int, tokens: [Int32], regime: RopeRegime, outputs: SliceOutputs,
        pages: [PageAssignment], mask: TokenMask? = nil
    ) {
        self.sequence = sequence
        self.firstPosition = firstPosition
        self.tokens = tokens
        self.regime = regime
        self.outputs = outputs
        self.pages = pages
        self.mask = mask
    }

    /// Rows of hidden state that the slice has.
    public var rowCount: Int { tokens.count }
}
