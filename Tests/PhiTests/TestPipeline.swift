import Checkpoint
import Host
import Inference
import Kernels

@testable import Phi

/// How a model is cut up and fed in a test.
struct PipelineShape: CustomStringConvertible {
    /// Layers of each stage; nil for one stage.
    var stageLayerCounts: [Int]?
    var threadCount = 1
    var kvType = KVType.f32
    /// Prompt rows per step; nil for as many as there are.
    var chunk: Int?
    var maxRowCount = 512
    var pageCount = 48

    var description: String {
        "stages \(stageLayerCounts ?? []), \(threadCount) threads, \(kvType.name), chunk \(chunk ?? 0)"
    }
}

/// A pipeline of stages in this process, with a coordinator as simple as can be.
final class TestPipeline {
    /// A sequence on its way.
    struct Sequence {
        let id: SequenceID
        var pages: [PageID] = []
        /// Logical pages that every stage knows of already.
        var announcedCount = 0
    }

    /// What came out of a request.
    struct Answer: Equatable {
        var promptTokens: [ScoredToken] = []
        var sampled: [ScoredToken] = []
        /// The last stage's hidden state of every row that was computed, in order.
        var hidden: [[UInt32]] = []

        var ids: [Int32] { sampled.map(\.token) }
    }

    let shape: PipelineShape
    private let stages: [StageRunner]
    private let configuration: ModelConfiguration
    private var freePages: [PageID]
    private var nextSequence: UInt64 = 1
    private var nextStep: UInt64 = 0

    init(
        _ shape: PipelineShape, configuration: ModelConfiguration, vocabularyLimit: Int? = nil,
        load: (LayerRange, ComputePool) throws -> StageModel
    ) throws {
        self.shape = shape
        self.configuration = configuration
        let pool = try ComputePool(threadCount: shape.threadCount)
        var first = 0
        stages = try (shape.stageLayerCounts ?? [configuration.layerCount]).map { count in
            guard let layers = LayerRange(first: first, end: first + count) else {
                throw PhiError(code: .model, message: "a stage without layers")
            }
            first += count
            return try StageRunner(
                model: load(layers, pool), kvType: shape.kvType, pageCount: shape.pageCount,
                maxRowCount: shape.maxRowCount, vocabularyLimit: vocabularyLimit ?? configuration.vocabularySize,
                pool: pool)
        }
        // Physical pages in an order of no meaning.
        freePages = (0..<UInt32(shape.pageCount)).map { PageID(($0 &* 17 &+ 5) % UInt32(shape.pageCount)) }
        if Set(freePages).count != shape.pageCount { freePages = (0..<UInt32(shape.pageCount)).map { PageID($0) } }
    }

    convenience init(_ shape: PipelineShape, checkpoint: Checkpoint, vocabularyLimit: Int? = nil) throws {
        try self.init(shape, configuration: checkpoint.configuration, vocabularyLimit: vocabularyLimit) {
            layers, pool in
            try StageModel.load(checkpoint, layers: layers, pool: pool)
        }
    }

    /// Scores a prompt and generates, regime by regime, as the coordinator would.
    func generate(
        _ prompt: [Int32], count: Int, sampling: SamplingParameters = SamplingParameters(temperature: 0),
        seed: UInt64 = 0, logprobCount: Int = 5
    ) throws -> Answer {
        try generate([prompt], count: count, sampling: sampling, seed: seed, logprobCount: logprobCount)[0]
    }

    /// The same for several prompts that share every step.
    func generate(
        _ prompts: [[Int32]], count: Int, sampling: SamplingParameters = SamplingParameters(temperature: 0),
        seed: UInt64 = 0, logprobCount: Int = 5
    ) throws -> [Answer] {
        var answers = [Answer](repeating: Answer(), count: prompts.count)
        var sequences = prompts.map { _ in newSequence() }
        let admissions = zip(sequences, prompts).map { sequence, prompt in
            SequenceAdmission(
                sequence: sequence.id, prompt: prompt, generated: [], sampling: sampling, seed: seed, choice: 0,
                logprobCount: logprobCount, promptLogprobCount: logprobCount)
        }
        try prefill(prompts, &sequences, &answers, admissions: admissions, outputs: [.promptLogprobs])
        for _ in 1..<max(1, count) {
            let tokens = zip(prompts, answers).map { $0 + $1.ids }
            let crossing = tokens.indices.filter {
                regime(tokens[$0].count) != regime(tokens[$0].count - 1)
            }
            if crossing.count == tokens.count {
                // Every key changes: as a coordinator does, compute all positions again in the long regime.
                try prefill(tokens, &sequences, &answers, admissions: [], outputs: [])
                continue
            }
            precondition(crossing.isEmpty, "prompts that share steps cross together")
            var slices: [Slice] = []
            for index in tokens.indices {
                slices.append(
                    slice(
                        &sequences[index], tokens: tokens[index], rows: tokens[index].count - 1..<tokens[index].count,
                        outputs: .sample))
            }
            try step(slices, &answers)
        }
        retire(sequences)
        return answers
    }

    /// The means of the last hidden states of several prompts that share every step.
    func embeddings(_ prompts: [[Int32]]) throws -> [[Float]] {
        var sequences = prompts.map { _ in newSequence() }
        var admissions = zip(sequences, prompts).map { sequence, prompt in
            SequenceAdmission(
                sequence: sequence.id, prompt: prompt, generated: [], sampling: SamplingParameters(), seed: 0,
                choice: 0,
                logprobCount: nil, promptLogprobCount: nil)
        }
        var found: [SequenceID: [Float]] = [:]
        let chunk = shape.chunk ?? shape.maxRowCount / prompts.count
        for start in stride(from: 0, to: prompts.map(\.count).max() ?? 0, by: chunk) {
            let slices = prompts.indices.filter { start < prompts[$0].count }.map { index in
                let rows = start..<min(start + chunk, prompts[index].count)
                return slice(&sequences[index], tokens: prompts[index], rows: rows, outputs: .embedding)
            }
            let result = try run(
                Step(
                    epoch: Epoch(term: 1, plan: 1), number: nextStep, admissions: admissions, slices: slices,
                    retired: []))
            for slice in result.slices { if let embedding = slice.embedding { found[slice.sequence] = embedding } }
            admissions = []
        }
        retire(sequences)
        return sequences.compactMap { found[$0.id] }
    }

    private func prefill(
        _ tokens: [[Int32]], _ sequences: inout [Sequence], _ answers: inout [Answer],
        admissions: [SequenceAdmission], outputs: SliceOutputs
    ) throws {
        var admissions = admissions
        let longest = tokens.map(\.count).max() ?? 0
        let chunk = shape.chunk ?? shape.maxRowCount / tokens.count
        for start in stride(from: 0, to: longest, by: chunk) {
            var slices: [Slice] = []
            var indices: [Int] = []
            for index in tokens.indices where start < tokens[index].count {
                let end = min(start + chunk, tokens[index].count)
                slices.append(
                    slice(
                        &sequences[index], tokens: tokens[index], rows: start..<end,
                        outputs: end == tokens[index].count ? outputs.union(.sample) : outputs))
                indices.append(index)
            }
            try step(slices, &answers, indices: indices, admissions: admissions)
            admissions = []
        }
    }

    private func regime(_ length: Int) -> RopeRegime {
        configuration.longRope != nil && length > configuration.originalContextLength ? .long : .short
    }

    private func slice(
        _ sequence: inout Sequence, tokens: [Int32], rows: Range<Int>, outputs: SliceOutputs
    ) -> Slice {
        while sequence.pages.count * KVPage.positionCount < rows.upperBound {
            sequence.pages.append(freePages.removeFirst())
        }
        let news = Array(sequence.pages[sequence.announcedCount...])
        let assignments =
            news.isEmpty ? [] : [PageAssignment(firstLogicalPage: sequence.announcedCount, pages: news)]
        sequence.announcedCount = sequence.pages.count
        return Slice(
            sequence: sequence.id, firstPosition: rows.lowerBound, tokens: Array(tokens[rows]),
            regime: regime(tokens.count), outputs: outputs, pages: assignments)
    }

    private func step(
        _ slices: [Slice], _ answers: inout [Answer], indices: [Int]? = nil, admissions: [SequenceAdmission] = []
    ) throws {
        let step = Step(
            epoch: Epoch(term: 1, plan: 1), number: nextStep, admissions: admissions, slices: slices, retired: [])
        let result = try run(step)
        var row = 0
        let indices = indices ?? Array(slices.indices)
        for (slice, index) in zip(slices, indices) {
            for _ in slice.tokens {
                answers[index].hidden.append(hidden(row: row))
                row += 1
            }
            guard let found = result.slices.first(where: { $0.sequence == slice.sequence }) else { continue }
            answers[index].promptTokens += found.promptTokens
            if let token = found.sampled { answers[index].sampled.append(token) }
        }
    }

    private func hidden(row: Int) -> [UInt32] {
        let rows = stages[stages.count - 1].hiddenRows
        return (0..<rows.columnCount).map { rows[row, $0].bitPattern }
    }

    /// Runs one step through all stages.
    @discardableResult func run(_ step: Step) throws -> StepResult {
        nextStep += 1
        var rows: [UInt8] = []
        for stage in stages {
            switch try stage.run(step, rows: rows) {
            case .rows(let next): rows = next
            case .result(let result): return result
            }
        }
        throw PhiError(code: .step, message: "the last stage gave no result")
    }

    private func newSequence() -> Sequence {
        defer { nextSequence += 1 }
        return Sequence(id: SequenceID(nextSequence))
    }

    private func retire(_ sequences: [Sequence]) {
        for sequence in sequences { freePages += sequence.pages }
        let step = Step(
            epoch: Epoch(term: 1, plan: 1), number: nextStep, admissions: [], slices: [], retired: sequences.map(\.id))
        // An empty step passes all stages.
        _ = try? run(step)
    }
}
