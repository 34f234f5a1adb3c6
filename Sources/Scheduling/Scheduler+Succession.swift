public import Inference

/// A plan takes the place of another one and goes on with its pages: nothing is computed again.
extension Scheduler {
    /// Composes no steps until `resume` or `succeed`; those in flight are answered.
    public mutating func pause() { isPaused = true }

    /// Goes on with the same plan.
    public mutating func resume() { isPaused = false }

    /// Whether it is paused and no step is in flight any more.
    public var isQuiet: Bool { isPaused && stepsInFlight.isEmpty }

    /// Goes on in a new epoch, whose stages hold all pages as those of the epoch before do, but know no sequences: each is
    /// admitted again with its next slice, with its whole page table, and goes on where it is.
    ///
    /// The scheduler must be quiet. Parameters as for `replan`; there are as many pages.
    public mutating func succeed(epoch: Epoch, stageCount: Int, fillingStepCount: Int? = nil) {
        precondition(isQuiet, "a plan is succeeded between two steps")
        enter(epoch, stageCount: stageCount, fillingStepCount: fillingStepCount)
        for id in running { sequences[id]?.announceAnew() }
        retiring = []
        releaseFreed()
    }
}
