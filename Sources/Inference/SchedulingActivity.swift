/// What the scheduler did since the start, and the KV pages as they are now.
public struct SchedulingActivity: Hashable, Sendable, Codable {
    /// KV pages of every stage, 64 tokens each.
    public var pageCount: Int
    /// Pages of running sequences.
    public var usedPageCount: Int
    /// Pages that no sequence uses and that hold cached prefixes.
    public var cachedPageCount: Int
    /// Tokens whose beginnings were looked up in the prefix cache.
    public var lookedUpTokenCount: Int
    /// Those of them that were found.
    public var hitTokenCount: Int
    /// Sequences that were put back for want of pages.
    public var preemptionCount: Int
    /// Steps sent to the pipeline.
    public var stepCount: Int
    /// Rows in all steps together.
    public var rowCount: Int
    /// Steps that the decode tokens are spread over now.
    public var microBatchCount: Int
    /// From a step's result to the next step that was sent.
    public var turnaround: LatencySummary

    public init(
        pageCount: Int = 0, usedPageCount: Int = 0, cachedPageCount: Int = 0, lookedUpTokenCount: Int = 0,
        hitTokenCount: Int = 0, preemptionCount: Int = 0, stepCount: Int = 0, rowCount: Int = 0,
        microBatchCount: Int = 0, turnaround: LatencySummary = LatencySummary()
    ) {
        self.pageCount = pageCount
        self.usedPageCount = usedPageCount
        self.cachedPageCount = cachedPageCount
        self.lookedUpTokenCount = lookedUpTokenCount
        self.hitTokenCount = hitTokenCount
        self.preemptionCount = preemptionCount
        self.stepCount = stepCount
        self.rowCount = rowCount
        self.microBatchCount = microBatchCount
        self.turnaround = turnaround
    }
}

/// How long something took, over all times that it happened; zeros when it never did.
public struct LatencySummary: Hashable, Sendable, Codable {
    public var count: Int
    public var medianMicroseconds: Double
    public var p99Microseconds: Double
    public var mostMicroseconds: Double
    /// Of all times together.
    public var totalMicroseconds: Double

    public init(
        count: Int = 0, medianMicroseconds: Double = 0, p99Microseconds: Double = 0, mostMicroseconds: Double = 0,
        totalMicroseconds: Double = 0
    ) {
        self.count = count
        self.medianMicroseconds = medianMicroseconds
        self.p99Microseconds = p99Microseconds
        self.mostMicroseconds = mostMicroseconds
        self.totalMicroseconds = totalMicroseconds
    }
}
