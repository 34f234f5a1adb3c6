/// How many prompt rows a step may carry beside decode tokens without disturbing their pace, found by measuring.
///
/// Decode tokens wait for the weights to be read; prompt rows are computed meanwhile for nothing, up to a number that
/// depends on the machines, and every one beyond it makes all streams wait. So the time of steps with decode tokens alone
/// is compared with what a prompt row adds.
struct PaceMeter: Sendable {
    /// Of a step without prompt rows.
    private var decodeMilliseconds: Double?
    /// What a prompt row adds.
    private var rowMilliseconds: Double?
    private var latestResult = -Double.infinity

    /// A step with prompt rows should take at most so many times as long as one without: the gap between two tokens of a
    /// stream stays within it, too.
    static let stretch = 4.0
    /// So few rows a step may carry always.
    static let leastRowCount = 16
    /// Weights of the latest step in the averages. In a pipeline one step's time is partly another's: what makes fewer rows
    /// go along is believed sooner.
    private static let (cautiousWeight, hopefulWeight) = (0.5, 0.05)

    /// A step's result came.
    ///
    /// - Parameters:
    ///   - sent: when the step was sent.
    ///   - promptRowCount: its rows of prompts.
    ///   - decodeRowCount: its decode tokens.
    mutating func note(sent: Double, now: Double, promptRowCount: Int, decodeRowCount: Int) {
        // From the result before on, the slowest stage worked on this step alone.
        let milliseconds = now - max(sent, latestResult)
        latestResult = now
        guard milliseconds > 0 else { return }
        if promptRowCount == 0 {
            if decodeRowCount > 0 { noteDecode(milliseconds) }
        } else if decodeRowCount == 0 {
            // The reading of the weights is in it; in short steps it is most of it.
            guard promptRowCount > Self.leastRowCount else { return }
            noteRow(milliseconds / Double(promptRowCount))
        } else if let decodeMilliseconds {
            noteRow(max(0, milliseconds - decodeMilliseconds) / Double(promptRowCount))
        } else if let rowMilliseconds {
            let rest = milliseconds - rowMilliseconds * Double(promptRowCount)
            noteDecode(max(rest, rowMilliseconds * Double(decodeRowCount)))
        }
    }

    /// The most prompt rows of a step with decode tokens, at most `mostCount`.
    func rowLimit(_ mostCount: Int) -> Int {
        guard let decodeMilliseconds, let rowMilliseconds, rowMilliseconds > 0 else { return mostCount }
        let count = (Self.stretch - 1) * decodeMilliseconds / rowMilliseconds
        guard count < Double(mostCount) else { return mostCount }
        return min(max(Int(count), Self.leastRowCount), mostCount)
    }

    private static func average(_ value: inout Double?, _ new: Double, isCautious: (Double) -> Bool) {
        guard let old = value else {
            value = new
            return
        }
        value = old + (new - old) * (isCautious(old) ? cautiousWeight : hopefulWeight)
    }

    private mutating func noteDecode(_ milliseconds: Double) {
        Self.average(&decodeMilliseconds, milliseconds) { milliseconds < $0 }
    }

    private mutating func noteRow(_ milliseconds: Double) {
        Self.average(&rowMilliseconds, milliseconds) { milliseconds > $0 }
    }
}
