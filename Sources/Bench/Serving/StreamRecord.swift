/// What was seen of one streamed answer. Times are seconds since the load began.
public struct StreamRecord: Sendable, Hashable {
    /// When the request was sent.
    public let sent: Double
    /// When each piece of the answer came: one token or a few, as the server sends them.
    public let pieces: [Double]
    /// As the server counts them.
    public let promptTokenCount: Int
    /// Of the prompt's tokens, those that were not computed again.
    public let cachedTokenCount: Int
    public let outputTokenCount: Int

    public init(
        sent: Double, pieces: [Double], promptTokenCount: Int, cachedTokenCount: Int, outputTokenCount: Int
    ) {
        self.sent = sent
        self.pieces = pieces
        self.promptTokenCount = promptTokenCount
        self.cachedTokenCount = cachedTokenCount
        self.outputTokenCount = outputTokenCount
    }

    /// Nil without any piece.
    var timeToFirstToken: Double? { pieces.first.map { $0 - sent } }

    /// Seconds per token after the first one; nil when there is none.
    var timePerOutputToken: Double? {
        guard outputTokenCount > 1, let first = pieces.first, let last = pieces.last else { return nil }
        return (last - first) / Double(outputTokenCount - 1)
    }

    /// Seconds between one piece and the next.
    var gaps: [Double] { zip(pieces.dropFirst(), pieces).map { $0 - $1 } }
}
