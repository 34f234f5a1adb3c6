/// The bounds within which this engine computes; a configuration beyond them is refused before anything is allocated.
enum ModelLimit {
    static let vocabulary = 1...(1 << 20)
    static let hidden = 1...65_536
    static let layers = 1...1_024
    static let heads = 1...1_024
    static let headDimension = 2...1_024
    static let feedForward = 1...(1 << 20)
    static let context = 1...(1 << 24)
    static let window = 1...(1 << 30)
}

extension ModelConfiguration {
    /// Checks what the parsers of the two formats cannot check key by key.
    ///
    /// - Parameter path: the file that is named in an error.
    /// - Throws: `CheckpointError` saying which values do not fit together.
    func validate(path: String) throws(CheckpointError) {
        try check(kvHeadCount <= headCount && headCount % kvHeadCount == 0, path) {
            "\(headCount) attention heads cannot share \(kvHeadCount) key-value heads evenly"
        }
        try check(rotaryDimension >= 2 && rotaryDimension <= headDimension && rotaryDimension % 2 == 0, path) {
            "the rotary dimension \(rotaryDimension) must be even and at most the head dimension \(headDimension)"
        }
        try check(rmsNormEpsilon.isFinite && rmsNormEpsilon > 0 && rmsNormEpsilon < 1, path) {
            "the RMS norm epsilon \(rmsNormEpsilon) must lie between 0 and 1"
        }
        try check(ropeTheta.isFinite && ropeTheta >= 1, path) {
            "the RoPE base \(ropeTheta) must be a number of at least 1"
        }
        if let longRope {
            for (name, factors) in [("short", longRope.shortFactors), ("long", longRope.longFactors)] {
                try check(factors.count == rotaryDimension / 2, path) {
                    "LongRoPE has \(factors.count) \(name) factors, but a rotary dimension of \(rotaryDimension) "
                        + "needs \(rotaryDimension / 2)"
                }
                try check(factors.allSatisfy { $0.isFinite && $0 > 0 }, path) {
                    "the \(name) factors of LongRoPE must be positive numbers"
                }
            }
            try check(longRope.attentionFactor.isFinite && longRope.attentionFactor > 0, path) {
                "the attention factor \(longRope.attentionFactor) of LongRoPE must be a positive number"
            }
        }
        let ids = endOfSequenceIDs + (beginOfSequenceID.map { [$0] } ?? [])
        try check(ids.allSatisfy { (0..<vocabularySize).contains($0) }, path) {
            "a begin or end token (\(ids.prefix(16))) lies outside the vocabulary of \(vocabularySize)"
        }
    }

    private func check(_ holds: Bool, _ path: String, _ message: () -> String) throws(CheckpointError) {
        guard holds else { throw .inconsistent(path, message() + "; the configuration is broken, fetch it again") }
    }
}
