import Checkpoint
import Inference
import Kernels
import TestSupport
import Testing

@testable import Phi

/// The same request gives the same bits however it is computed.
@Suite(.serialized)
struct ExactnessTests {
    static let models: [SyntheticModel] = [
        SyntheticModel(format: .f32, original: 620),
        SyntheticModel(format: .q8x0, window: 100),
        SyntheticModel(format: .q4K, original: 64),
    ]

    /// Ways to compute a request; the first is the yardstick.
    static let shapes: [PipelineShape] = [
        PipelineShape(maxRowCount: 700),
        PipelineShape(stageLayerCounts: [1, 3], maxRowCount: 700),
        PipelineShape(stageLayerCounts: [3, 1], threadCount: 2, chunk: 64),
        PipelineShape(stageLayerCounts: [2, 1, 1], chunk: 7),
        PipelineShape(stageLayerCounts: [1, 1, 1, 1], threadCount: 2, maxRowCount: 700),
        PipelineShape(chunk: 1),
        PipelineShape(threadCount: 2, chunk: 100),
    ]

    @Test(arguments: [(0, KVType.f16), (1, .f32), (2, .q8x0)])
    func `splits, threads and chunks change no bit`(model: Int, kvType: KVType) throws {
        let model = Self.models[model]
        let prompt = model.tokens(610)
        var expected: TestPipeline.Answer?
        for shape in Self.shapes {
            var shape = shape
            shape.kvType = kvType
            let sampling = SamplingParameters(temperature: 0.8, topP: 0.95)
            let answer = try model.pipeline(shape).generate(prompt, count: 16, sampling: sampling, seed: 11)
            #expect(answer.promptTokens.count == prompt.count - 1)
            #expect(answer.sampled.count == 16)
            if let expected { #expect(answer == expected, "\(shape)") } else { expected = answer }
        }
    }

    @Test(arguments: [(0, KVType.f16), (2, .q8x0)])
    func `splits, threads, chunks and company change no bit of an embedding`(model: Int, kvType: KVType) throws {
        let model = Self.models[model]
        let prompts = [model.tokens(130), model.tokens(1, salt: 1), model.tokens(77, salt: 2)]
        var expected: [[UInt32]]?
        for shape in Self.shapes {
            var shape = shape
            shape.kvType = kvType
            let pipeline = try model.pipeline(shape)
            let alone = try prompts.map { try pipeline.embeddings([$0])[0].map(\.bitPattern) }
            #expect(Set(alone).count == prompts.count)
            if let expected { #expect(alone == expected, "\(shape)") } else { expected = alone }
            #expect(try pipeline.embeddings(prompts).map { $0.map(\.bitPattern) } == expected, "\(shape)")
        }
    }

    @Test func `rows that were not pooled from the first on are refused`() throws {
        let pipeline = try Self.models[0].pipeline(PipelineShape())
        func step(_ number: UInt64, position: Int, promptCount: Int, isAdmitted: Bool) -> Step {
            let id = SequenceID(99)
            let admission = SequenceAdmission(
                sequence: id, prompt: Array(repeating: 5, count: promptCount), generated: [],
                sampling: SamplingParameters(), seed: 0, choice: 0, logprobCount: nil, promptLogprobCount: nil)
            return Step(
                epoch: Epoch(term: 1, plan: 1), number: number, admissions: isAdmitted ? [admission] : [],
                slices: [
                    Slice(
                        sequence: id, firstPosition: position, tokens: [5, 5], regime: .short, outputs: .embedding,
                        pages: [PageAssignment(firstLogicalPage: 0, pages: [PageID(0)])])
                ], retired: [])
        }
        #expect(throws: PhiError.self) { try pipeline.run(step(0, position: 2, promptCount: 9, isAdmitted: true)) }
        #expect(throws: PhiError.self) { try pipeline.run(step(1, position: 0, promptCount: 1, isAdmitted: true)) }
        #expect(try pipeline.run(step(2, position: 0, promptCount: 9, isAdmitted: true)).slices[0].embedding == nil)
        #expect(throws: PhiError.self) { try pipeline.run(step(3, position: 4, promptCount: 9, isAdmitted: false)) }
    }

    @Test func `sequences that share steps get the answers that they get alone`() throws {
        for model in Self.models {
            let prompts = [model.tokens(40, salt: 1), model.tokens(9, salt: 2), model.tokens(55, salt: 3)]
            // All stay on one side of the regimes' border, so that they can share every step.
            let alone = try prompts.map { prompt in
                try model.pipeline(PipelineShape(kvType: .f16)).generate(prompt, count: 8)
            }
            let together = try model.pipeline(
                PipelineShape(stageLayerCounts: [2, 2], threadCount: 2, kvType: .f16, chunk: 13)
            )
            .generate(prompts, count: 8)
            #expect(together == alone)
        }
    }

    @Test func `every instruction set gives the same bits`() throws {
        let before = ISA.current
        for model in Self.models {
            let prompt = model.tokens(150)
            var expected: TestPipeline.Answer?
            for isa in ISA.allCases where isa.isAvailable {
                try isa.use()
                let answer = try model.pipeline(PipelineShape(kvType: .f16, chunk: 50)).generate(prompt, count: 6)
                if let expected { #expect(answer == expected, "\(isa)") } else { expected = answer }
            }
        }
        try before.use()
    }

    @Test(
        .enabled(if: Fixtures.areHere, "\(Fixtures.reason)"),
        arguments: [
            ("phi3-mini-like", 3), ("phi3-medium-like", 5), ("phi3-128k-like", 3), ("phi4-mini-like", 3),
            ("gguf-phi3-like/phi-3-like-Q4_K_M.gguf", 2), ("gguf-phi4-mini-like/phi-4-mini-like-Q8_0.gguf", 3),
        ])
    func `golden models give the same bits over any number of stages`(path: String, layerCount: Int) throws {
        let model = GoldenModel(path: path, arithmetic: .float)
        let checkpoint = try model.checkpoint()
        #expect(checkpoint.configuration.layerCount == layerCount)
        let entry = try #require(try model.expectations().prompts.max { $0.promptIds.count < $1.promptIds.count })
        var expected: TestPipeline.Answer?
        for stageCount in 1...layerCount {
            for (threadCount, chunk) in [(1, nil), (2, 7), (1, 1)] as [(Int, Int?)] {
                let counts = (0..<stageCount).map { ($0 + 1) * layerCount / stageCount - $0 * layerCount / stageCount }
                let shape = PipelineShape(
                    stageLayerCounts: counts, threadCount: threadCount, kvType: .f16, chunk: chunk)
                let answer = try TestPipeline(shape, checkpoint: checkpoint).generate(entry.promptIds, count: 8)
                if let expected { #expect(answer == expected, "\(shape)") } else { expected = answer }
            }
        }
    }
}
