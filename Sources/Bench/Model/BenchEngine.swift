import Checkpoint
import Host
import Inference
import Phi

/// The real engine with static batches: all layers in one stage, steps composed as the scheduler composes them.
final class BenchEngine {
    /// A sequence under way: its pages, and the token that comes next.
    struct Stream {
        let id: SequenceID
        let pages: [PageID]
        var nextToken: Int32
    }

    private let runner: StageRunner
    private let plan: ModelBenchPlan
    private let configuration: ModelConfiguration
    private var nextSequence: UInt64 = 1
    private var nextStep: UInt64 = 0
    private var retiring: [SequenceID] = []

    init(model: StageModel, plan: ModelBenchPlan, pool: ComputePool) throws {
        self.plan = plan
        configuration = model.configuration
        runner = try StageRunner(
            model: model, kvType: plan.kvType, pageCount: plan.pageCount, maxRowCount: plan.maxRowCount,
            vocabularyLimit: model.configuration.vocabularySize, pool: pool)
    }

    // MARK: - What is measured

    /// Computes a prompt of its own in chunks and samples the first token of the answer.
    func prefill(_ prompt: [Int32], willComputeChunk: (Int) -> Void = { _ in }) throws {
        let stream = makeStream(pages: 0..<KVPage.count(holding: prompt.count), nextToken: 0)
        try fill(stream, with: prompt, regime: regime(length: prompt.count), willComputeChunk: willComputeChunk)
        retire([stream])
    }

    /// Makes streams whose pages hold `plan.depth` positions: one is computed, the others get copies of its keys and
    /// values, each in memory of its own.
    func makeStreams(
        _ count: Int, context: [Int32], willComputeChunk: (Int) -> Void = { _ in }
    ) throws -> [Stream] {
        let size = plan.streamPageCount
        let streams = (0..<count).map { makeStream(pages: $0 * size..<($0 + 1) * size, nextToken: Int32($0)) }
        guard !context.isEmpty, let first = streams.first else { return streams }
        try fill(first, with: context, regime: decodeRegime, willComputeChunk: willComputeChunk)
        for stream in streams.dropFirst() {
            for (source, target) in zip(first.pages, stream.pages).prefix(KVPage.count(holding: context.count)) {
                runner.cache.copyPage(source, to: target)
            }
        }
        return streams
    }

    /// Generates so many tokens with each stream; the same positions every time.
    ///
    /// - Parameter offset: positions between `plan.depth` and the first one that is computed.
    func decode(_ streams: inout [Stream], count: Int, after offset: Int = 0) throws {
        let first = plan.depth + offset
        for position in first..<first + count {
            let slices = streams.map { stream in
                Slice(
                    sequence: stream.id, firstPosition: position, tokens: [stream.nextToken], regime: decodeRegime,
                    outputs: .sample, pages: [])
            }
            try sample(run(slices: slices), into: &streams)
        }
    }

    /// Makes the streams known to the engine, pages and samplers, with one step that counts for nothing.
    func admit(_ streams: inout [Stream]) throws {
        let slices = streams.map { stream in
            Slice(
                sequence: stream.id, firstPosition: plan.depth, tokens: [stream.nextToken], regime: decodeRegime,
                outputs: .sample, pages: [PageAssignment(firstLogicalPage: 0, pages: stream.pages)])
        }
        try sample(
            run(slices: slices, admissions: streams.map { admission($0, prompt: [$0.nextToken]) }), into: &streams)
    }

    /// The next step forgets these.
    func retire(_ streams: [Stream]) { retiring += streams.map(\.id) }

    // MARK: - Steps

    private var decodeRegime: RopeRegime { regime(length: plan.depth + plan.generatedCount) }

    private func regime(length: Int) -> RopeRegime {
        configuration.longRope != nil && length > configuration.originalContextLength ? .long : .short
    }

    private func makeStream(pages: Range<Int>, nextToken: Int32) -> Stream {
        defer { nextSequence += 1 }
        return Stream(id: SequenceID(nextSequence), pages: pages.map { PageID(UInt32($0)) }, nextToken: nextToken)
    }

    private func admission(_ stream: Stream, prompt: [Int32]) -> SequenceAdmission {
        SequenceAdmission(
            sequence: stream.id, prompt: prompt, generated: [], sampling: SamplingParameters(temperature: 0), seed: 0,
            choice: 0, logprobCount: nil, promptLogprobCount: nil)
    }

    private func fill(
        _ stream: Stream, with tokens: [Int32], regime: RopeRegime, willComputeChunk: (Int) -> Void
    ) throws {
        for start in stride(from: 0, to: tokens.count, by: plan.chunkRowCount) {
            willComputeChunk(start)
            let end = min(start + plan.chunkRowCount, tokens.count)
            let known = KVPage.count(holding: start)
            let needed = KVPage.count(holding: end)
            let news =
                needed > known
                ? [PageAssignment(firstLogicalPage: known, pages: Array(stream.pages[known..<needed]))] : []
            let slice = Slice(
                sequence: stream.id, firstPosition: start, tokens: Array(tokens[start..<end]), regime: regime,
                outputs: end == tokens.count ? .sample : [], pages: news)
            _ = try run(slices: [slice], admissions: start == 0 ? [admission(stream, prompt: tokens)] : [])
        }
    }

    private func run(slices: [Slice], admissions: [SequenceAdmission] = []) throws -> StepResult {
        let step = Step(
            epoch: Epoch(term: 1, plan: 1), number: nextStep, admissions: admissions, slices: slices, retired: retiring)
        nextStep += 1
        retiring = []
        guard case .result(let result) = try runner.run(step, rows: []) else {
            throw BenchError("the model's last layer gave no tokens")
        }
        return result
    }

    private func sample(_ result: StepResult, into streams: inout [Stream]) throws {
        guard result.slices.count == streams.count else { throw BenchError("a stream was not sampled") }
        for (index, slice) in result.slices.enumerated() {
            guard let token = slice.sampled?.token else { throw BenchError("a stream was not sampled") }
            streams[index].nextToken = token
        }
    }
}
