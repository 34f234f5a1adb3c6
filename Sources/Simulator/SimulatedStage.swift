import Cluster
import Inference

/// A step on its way through the stages; the digest stands for its rows.
struct SimulatedActivation {
    let step: Step
    let digest: UInt64
}

/// A worker's part in a plan: takes steps in order, each once, and computes them one after the other.
struct SimulatedStage {
    /// What comes out of a stage.
    enum Outcome {
        case activation(SimulatedActivation)
        case result(StepResult)
    }

    let assignment: StageAssignment
    private let poison: Poison?
    private let layerCount: Int
    /// The step in work kills the worker.
    private(set) var isPoisoned = false
    private var pages: SimulatedPages
    var isReady = false
    /// It begins with nothing, or has the pages of the epoch before.
    private var hasPages: Bool
    /// The process of the next stage's worker that the link leads to.
    var nextProcess: Int?
    private var nextNumber: UInt64 = 0
    private var waiting: [SimulatedActivation] = []
    private var inWork: Outcome?
    /// When the step in work began, and how long it takes.
    private var workBegan = 0.0
    private var workMilliseconds = 0.0

    /// Time spent computing, rows and steps computed.
    private(set) var busyMilliseconds = 0.0
    private(set) var rowCount: UInt64 = 0
    private(set) var stepCount: UInt64 = 0

    /// - Parameter layerCount: of the whole model.
    init(_ assignment: StageAssignment, layerCount: Int, poison: Poison? = nil) {
        self.assignment = assignment
        hasPages = assignment.predecessor == nil
        self.layerCount = layerCount
        self.poison = poison
        pages = SimulatedPages(
            pageCount: assignment.pageCount, maxRowCount: assignment.maxRowCount, keepsChains: poison != nil)
    }

    /// Takes over what a stage of the epoch before has.
    mutating func inherit(_ other: SimulatedStage) {
        pages.inherit(other.pages)
        hasPages = true
    }

    /// Sequences that it remembers.
    var sequenceCount: Int { pages.sequenceCount }
    var isLast: Bool { assignment.stage == assignment.stageCount - 1 }

    var finishedCount: UInt64 { stepCount - (inWork == nil ? 0 : 1) }

    /// The one in work; nil when idle.
    func layer(now: Double) -> Int? {
        guard inWork != nil else { return nil }
        let layers = assignment.layers
        let part = workMilliseconds > 0 ? max(0, now - workBegan) / workMilliseconds : 0
        return layers.first + min(layers.count - 1, Int(part * Double(layers.count)))
    }

    /// Says when the step in work began, and how long it takes.
    mutating func time(began: Double, milliseconds: Double) {
        (workBegan, workMilliseconds) = (began, milliseconds)
    }

    /// Takes a step in; steps of lower epochs and those seen before are ignored.
    mutating func offer(_ activation: SimulatedActivation) throws(Breach) {
        let step = activation.step
        guard step.epoch >= assignment.epoch else { return }
        guard step.epoch == assignment.epoch, isReady, hasPages else {
            throw Breach("a step of \(step.epoch) comes to a stage of \(assignment.epoch)")
        }
        guard step.number >= nextNumber else { return }
        guard step.number == nextNumber else { throw Breach("step \(step.number) comes instead of \(nextNumber)") }
        nextNumber += 1
        waiting.append(activation)
        // One more than there are credits, for a step that only retires.
        guard waiting.count <= assignment.stageCount + 2 else {
            throw Breach("\(waiting.count) steps wait at stage \(assignment.stage) of \(assignment.stageCount)")
        }
    }

    /// Begins the next step, if there is one and none is in work; returns how long it takes.
    mutating func begin(_ worker: WorkerCapacity, _ timing: StepTiming) throws(Breach) -> Double? {
        guard inWork == nil, !waiting.isEmpty else { return nil }
        let activation = waiting.removeFirst()
        let step = activation.step
        let rows = try pages.run(step)
        isPoisoned = rows.contains { row in
            row.chains.contains { chain in
                poison?.layer(chain, layerCount: layerCount).map(assignment.layers.contains) ?? false
            }
        }
        let digest = rows.reduce(step.number) { SimulatedRandom.mixed($0 ^ $1.chain) }
        guard assignment.stage == 0 || digest == activation.digest else {
            throw Breach("stage \(assignment.stage) holds other keys and values than the stage before")
        }
        inWork =
            isLast
            ? .result(answer(step, rows)) : .activation(SimulatedActivation(step: step, digest: digest))
        let milliseconds = timing.milliseconds(step, worker, assignment.layers)
        busyMilliseconds += milliseconds
        rowCount += UInt64(step.rowCount)
        stepCount += 1
        return milliseconds
    }

    mutating func finish() -> Outcome? {
        defer { inWork = nil }
        return inWork
    }

    private func answer(_ step: Step, _ rows: [SimulatedPages.Row]) -> StepResult {
        var slices: [SliceResult] = []
        for (slice, row) in zip(step.slices, rows) where slice.outputs.contains(.sample) {
            let token = HashModel.sample(
                row.chain, seed: row.admission.seed, choice: row.admission.choice,
                vocabularySize: assignment.vocabularyLimit)
            slices.append(
                SliceResult(
                    sequence: slice.sequence, sampled: ScoredToken(token: token, logprob: 0, top: []),
                    firstPromptPosition: 0, promptTokens: []))
        }
        return StepResult(epoch: step.epoch, number: step.number, slices: slices)
    }
}

/// How long stages take.
struct StepTiming {
    let model: ModelFootprint
    let speedFraction: Double
    let overheadMilliseconds: Double

    /// A step that only retires sequences is over at once.
    func milliseconds(_ step: Step, _ worker: WorkerCapacity, _ layers: LayerRange) -> Double {
        guard !step.slices.isEmpty else { return 0 }
        let costs = CostModel(model: model, load: Self.load(step))
        return costs.cost(of: worker, layers: layers).seconds * 1000 / speedFraction + overheadMilliseconds
    }

    static func load(_ step: Step) -> StepLoad {
        StepLoad(
            rowCount: step.rowCount,
            outputRowCount: step.slices.reduce(0) { $0 + ($1.outputs.contains(.sample) ? 1 : 0) },
            kvPositionCount: step.slices.reduce(0) { $0 + $1.firstPosition + $1.rowCount })
    }
}
