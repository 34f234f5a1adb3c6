public import Inference

/// What status reports.
extension Scheduler {
    /// Requests that began.
    public var runningRequestCount: Int { requests.count - waitingRequestCount }
    public var waitingRequestCount: Int {
        requests.values.reduce(0) { $0 + ($1.firstStepMilliseconds == nil ? 1 : 0) }
    }
    public var stepInFlightCount: Int { stepsInFlight.count }
    /// Pages that no sequence uses; some may hold cached prefixes.
    public var freePageCount: Int { pages.availableCount }
    public var pageCount: Int { pages.pageCount }
    /// Whether nothing waits, runs or has to be retired.
    public var isIdle: Bool { requests.isEmpty && retiring.isEmpty && freeing.isEmpty && stepsInFlight.isEmpty }

    /// Counts since the start, and the pages now.
    public var activity: SchedulingActivity {
        SchedulingActivity(
            pageCount: pages.pageCount, usedPageCount: pages.pageCount - pages.availableCount,
            cachedPageCount: pages.idleCount, lookedUpTokenCount: lookedUpTokenCount, hitTokenCount: hitTokenCount,
            preemptionCount: preemptionCount, stepCount: sentStepCount, rowCount: sentRowCount,
            microBatchCount: tuner.groupCount)
    }
}
