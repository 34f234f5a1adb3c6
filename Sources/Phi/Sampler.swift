public import Inference
public import Kernels

/// Chooses the next token of one sequence from its logits.
///
/// The same logits, parameters, seed, choice and position give the same token on every machine: sums run in a written
/// order, ties go to the lowest id, and the random number is a function of (seed, choice, position). The filters work in
/// vLLM's order: bias and penalties, temperature, min-p, top-k, top-p.
public struct Sampler {
    private let parameters: SamplingParameters
    private let random: CounterRandom
    private var penalties: TokenPenalties

    /// - Parameters:
    ///   - admission: the sequence's parameters and tokens so far.
    ///   - vocabularyLimit: ids from here on are padding and never sampled.
    public init(_ admission: SequenceAdmission, vocabularyLimit: Int) {
        parameters = admission.sampling
        random = CounterRandom(seed: admission.seed, choice: UInt32(truncatingIfNeeded: admission.choice))
        penalties = TokenPenalties(
            parameters: admission.sampling, prompt: admission.prompt, generated: admission.generated,
            vocabularyLimit: vocabularyLimit)
    }

    /// Samples the token for an absolute position and counts it as generated.
    ///
    /// - Parameters:
    ///   - logits: one row; left as it is.
    ///   - mask: what may be sampled, before everything else; nil for everything. It allows some id below the limit.
    ///   - workspace: made for the same vocabulary limit.
    public mutating func sample(
        _ logits: LayerRows, position: Int, mask: TokenMask? = nil, workspace: inout SamplerWorkspace
    ) -> Int32 {
        precondition(logits.rowCount == 1, "one row of logits")
        var token = choose(logits, position: position, mask: mask, workspace: &workspace)
        // Logits that are no numbers decide nothing.
        if let mask, !mask.allows(token) { token = mask.first ?? token }
        penalties.count(token)
        return token
    }

    private func choose(
        _ logits: LayerRows, position: Int, mask: TokenMask?, workspace: inout SamplerWorkspace
    ) -> Int32 {
        let limit = workspace.vocabularyLimit
        precondition(limit > 0 && limit <= logits.columnCount, "the limit lies in the row")
        let isGreedy = !(parameters.temperature > Self.leastTemperature)
        return withExtendedLifetime(logits) {
            // The row is read here only, while its owner is alive.
            let row = unsafe UnsafeBufferPointer(rebasing: UnsafeBufferPointer(logits.unsafeRow(0))[..<limit])
            if isGreedy && penalties.changeNothing && mask == nil { return unsafe Int32(MathReductions.argmax(row)) }
            return unsafe workspace.weights.withUnsafeMutableBufferPointer { weights in
                _ = unsafe weights.update(fromContentsOf: row)
                if let mask { unsafe mask.apply(to: weights) }
                unsafe penalties.apply(to: weights)
                if isGreedy { return unsafe Int32(MathReductions.argmax(UnsafeBufferPointer(weights))) }
                return unsafe draw(from: weights, position: position, heap: &workspace.heap)
            }
        }
    }

    /// Below this the temperature counts as zero, as in vLLM.
    private static let leastTemperature: Float = 1e-5

    private func draw(
        from weights: UnsafeMutableBufferPointer<Float>, position: Int, heap: inout TokenHeap
    ) -> Int32 {
        let largest = unsafe MathReductions.max(UnsafeBufferPointer(weights))
        guard largest.isFinite else { return unsafe Int32(MathReductions.argmax(UnsafeBufferPointer(weights))) }
        for id in weights.indices {
            unsafe weights[id] = (weights[id] - largest) / parameters.temperature
        }
        _ = unsafe MathReductions.replaceByExponentials(weights, shift: 0)
        // The likeliest token's weight is exactly 1, so min-p compares weights.
        var total = 0.0
        for id in weights.indices {
            let weight = unsafe weights[id]
            if weight >= parameters.minP {
                total += Double(weight)
            } else {
                unsafe weights[id] = 0
            }
        }
        let fraction = random.uniform(position: UInt64(position))
        if parameters.topK > 0 || parameters.topP < 1 {
            let read = UnsafeBufferPointer(weights)
            // Few tokens matter as a rule. The order is the same with more, so a second try changes nothing before it.
            return unsafe drawLikeliest(read, total: total, fraction: fraction, threshold: 1e-4, heap: &heap)
                ?? drawLikeliest(read, total: total, fraction: fraction, threshold: 0, heap: &heap) ?? 0
        }
        return unsafe Self.pick(target: fraction * total, from: UnsafeBufferPointer(weights))
    }

    /// Draws among the tokens that top-k and top-p leave; nil when those above the threshold are too few to tell.
    private func drawLikeliest(
        _ weights: UnsafeBufferPointer<Float>, total: Double, fraction: Double, threshold: Float, heap: inout TokenHeap
    ) -> Int32? {
        unsafe heap.fill(weights, threshold: threshold)
        let available = heap.count
        let isAll = threshold == 0
        let limit = parameters.topK > 0 ? min(parameters.topK, weights.count) : weights.count
        // Top-p is a share of what top-k leaves.
        var base = total
        if parameters.topK > 0 {
            guard isAll || available >= limit else { return nil }
            base = 0
            for _ in 0..<limit {
                guard let (_, weight) = heap.pop() else { break }
                base += Double(weight)
            }
            unsafe heap.fill(weights, threshold: threshold)
        }
        let wanted = Double(parameters.topP) * base
        var kept = 0
        var sum = 0.0
        while kept < limit, kept == 0 || sum < wanted, let (_, weight) = heap.pop() {
            sum += Double(weight)
            kept += 1
        }
        guard isAll || kept == limit || sum >= wanted else { return nil }
        unsafe heap.fill(weights, threshold: threshold)
        let target = fraction * sum
        var reached = 0.0
        var last: Int32?
        for _ in 0..<kept {
            guard let (id, weight) = heap.pop() else { break }
            last = Int32(id)
            reached += Double(weight)
            if reached > target { break }
        }
        return last
    }

    /// The first token, by id, at which the running sum passes the target.
    private static func pick(target: Double, from weights: UnsafeBufferPointer<Float>) -> Int32 {
        var reached = 0.0
        var last: Int32 = 0
        for id in weights.indices where unsafe weights[id] > 0 {
            last = Int32(id)
            unsafe reached += Double(weights[id])
            if reached > target { break }
        }
        return last
    }
}

extension TokenMask {
    /// Makes what may not come impossible.
    fileprivate func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        for first in stride(from: 0, to: logits.count, by: 64) {
            let word = first / 64 < words.count ? words[first / 64] : 0
            guard word != .max else { continue }
            for id in first..<min(first + 64, logits.count) where word >> UInt64(id - first) & 1 == 0 {
                unsafe logits[id] = -.infinity
            }
        }
    }
}

/// The memory that sampling needs, allocated once and shared by all sequences.
public struct SamplerWorkspace {
    /// Ids from here on are padding and never sampled.
    public let vocabularyLimit: Int
    fileprivate var weights: [Float]
    fileprivate var heap: TokenHeap

    public init(vocabularyLimit: Int) {
        self.vocabularyLimit = vocabularyLimit
        weights = [Float](repeating: 0, count: vocabularyLimit)
        heap = TokenHeap(capacity: vocabularyLimit)
    }
}
