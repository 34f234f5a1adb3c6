public import Inference
public import Kernels

/// Log-probabilities under the raw logits: before bias, penalties, temperature and filters, as vLLM reports them.
///
/// The softmax runs over all rows of the head, the padding included, as in the reference implementation; only ids below
/// the vocabulary's limit are listed.
public struct TokenScorer: Sendable {
    /// Ids from here on are padding.
    public let vocabularyLimit: Int

    public init(vocabularyLimit: Int) {
        self.vocabularyLimit = vocabularyLimit
    }

    /// What a row of logits says about a token.
    ///
    /// - Parameters:
    ///   - token: an index of `logits`.
    ///   - topCount: how many of the likeliest tokens to list; ties go to the lowest id.
    public func score(_ token: Int32, logits: LayerRows, topCount: Int) -> ScoredToken {
        precondition(logits.rowCount == 1, "one row of logits")
        precondition(vocabularyLimit <= logits.columnCount, "the limit lies in the row")
        return withExtendedLifetime(logits) {
            // The memory outlives the closure, which alone uses it.
            let row = unsafe UnsafeBufferPointer(logits.unsafeRow(0))
            let largest = unsafe MathReductions.max(row)
            let logSum = unsafe MathFunctions.log(MathReductions.expSum(row, shift: largest))
            let logprob = { (logit: Float) -> Float in
                let value = Float(Double(logit) - Double(largest) - logSum)
                return value.isNaN ? Self.undefined : value
            }
            let top = unsafe likeliest(topCount, of: row)
            return unsafe ScoredToken(
                token: token, logprob: logprob(row[Int(token)]),
                top: top.map { unsafe TokenLogprob(token: $0, logprob: logprob(row[Int($0)])) })
        }
    }

    /// What is reported when logits are no numbers.
    static let undefined: Float = -9999

    /// The ids of the largest logits, largest first, equals in ascending order.
    private func likeliest(_ count: Int, of row: UnsafeBufferPointer<Float>) -> [Int32] {
        guard count > 0 else { return [] }
        var best: [Int32] = []
        best.reserveCapacity(count + 1)
        for id in 0..<vocabularyLimit {
            let logit = unsafe row[id]
            if best.count == count, let last = best.last, unsafe !(logit > row[Int(last)]) { continue }
            var place = best.count
            while place > 0, unsafe logit > row[Int(best[place - 1])] { place -= 1 }
            best.insert(Int32(id), at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
