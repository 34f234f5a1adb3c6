import Checkpoint
import Host
import Inference
import Phi

/// Loads and runs one stage on a thread of its own, outside Swift's cooperative pool.
///
/// The actor's executor is that thread, which is also the first of the compute pool: steps run one after the other, and
/// awaiting `run` is the step's only hop.
actor StageHost {
    private let executor: StageExecutor
    private let assignment: StageAssignment
    private let configuration: WorkerConfiguration
    private let progress: StageProgress
    private let parts: LoadedParts
    private var runner: StageRunner?

    struct Loaded: Sendable {
        let hiddenSize: Int
        let memoryByteCount: Int
        let weightByteCount: Int
        let summary: LoadSummary
    }

    enum Outcome: Sendable {
        case activation(Activation)
        case result(StepResult)
    }

    init(assignment: StageAssignment, configuration: WorkerConfiguration, parts: LoadedParts, progress: StageProgress) {
        executor = StageExecutor(name: "stage \(assignment.stage)")
        self.assignment = assignment
        self.configuration = configuration
        self.parts = parts
        self.progress = progress
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Loads the layers from the checkpoint.
    ///
    /// - Parameter shared: the pages of the worker's stage in the epoch before.
    func load(
        _ checkpoint: Checkpoint, sharing shared: KVCache?, progress report: @Sendable (LoadProgress) -> Void
    ) throws -> Loaded {
        let pool = try ComputePool(threadCount: configuration.threadCount, cpus: configuration.processors)
        try pool.bindCaller()
        let fingerprint = assignment.modelFingerprint
        let cache = parts.use(fingerprint) { configuration.cache?.model(fingerprint) }
        let model = try StageModel.load(
            checkpoint, layers: assignment.layers, pool: pool, cache: cache, kept: parts
        ) { progress in
            try Task.checkCancellation()
            report(progress)
        }
        let runner = try StageRunner(
            model: model, kvType: assignment.kvType, pageCount: assignment.pageCount,
            maxRowCount: assignment.maxRowCount, vocabularyLimit: assignment.vocabularyLimit, pool: pool,
            sharing: shared)
        guard runner.memoryByteCount <= configuration.memoryByteCount else {
            throw WorkerError(
                "layers \(assignment.layers) take \(runner.memoryByteCount) bytes, more than this worker's --memory of "
                    + "\(configuration.memoryByteCount); give it more or choose a smaller --ctx-size")
        }
        self.runner = runner
        return Loaded(
            hiddenSize: model.hiddenSize, memoryByteCount: runner.memoryByteCount,
            weightByteCount: model.weightByteCount, summary: model.loading)
    }

    // MARK: Pages that move

    /// The pages; nil until the layers are loaded.
    var cache: KVCache? { runner?.cache }
    var journal: PageJournal? { runner?.journal }

    /// The clock, and the pages that were written since; nil when the stage has not all of these layers.
    func writtenPages(_ layers: LayerRange, since: UInt64) -> (clock: UInt64, pages: [PageID])? {
        guard let runner, layers.first >= assignment.layers.first, layers.end <= assignment.layers.end else {
            return nil
        }
        return (runner.journal.clock, runner.journal.pages(since: since))
    }

    /// The keys and values of some of the stage's layers in one of its pages, between two steps.
    func contents(of page: PageID, _ layers: LayerRange) -> [(layer: Int, bytes: [UInt8])] {
        guard let cache = runner?.cache else { return [] }
        return (layers.first..<layers.end).map { ($0, cache.contents(of: page, layer: $0)) }
    }

    func replace(_ page: PageID, layer: Int, with contents: [UInt8]) {
        runner?.replace(page, layer: layer, with: contents)
    }

    /// The pages hold what the worker's stage of the epoch before wrote.
    func adopt(_ journal: PageJournal) { runner?.adopt(journal) }

    /// Computes a step.
    func run(_ activation: Activation) throws -> Outcome {
        guard let runner else { throw WorkerError("a step came before the layers were loaded") }
        let step = activation.step
        let progress = progress
        // A step that only retires sequences is over at once and no sign of work.
        if !step.slices.isEmpty { progress.begin(step) }
        let began = ContinuousClock.now
        let output = try runner.run(step, rows: activation.rows) { progress.enter(layer: $0) }
        progress.finish(step, busy: ContinuousClock.now - began)
        return switch output {
        case .rows(let rows): .activation(Activation(step: step, rows: rows))
        case .result(let result): .result(result)
        }
    }
}
