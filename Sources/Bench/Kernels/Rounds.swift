/// Repeats something until its best time is known well enough.
enum Rounds {
    /// The fastest of at least `count` rounds, and of as many as fit `seconds`.
    static func fastest(count: Int = 3, seconds: Double = 0.1, _ body: () throws -> Void) rethrows -> Double {
        var best = Double.infinity
        var done = 0
        var spent = 0.0
        while done < count || spent < seconds {
            let round = try Measurement.time(body)
            best = min(best, round)
            spent += round
            done += 1
        }
        return best
    }
}
