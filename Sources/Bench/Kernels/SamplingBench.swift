import Inference
import Kernels
import Phi

/// Choosing the next token from a row of logits, on one thread.
struct SamplingBench {
    /// A way of choosing, by name.
    static let settings: [(name: String, parameters: SamplingParameters)] = [
        ("greedy", SamplingParameters(temperature: 0)),
        ("temperature", SamplingParameters(temperature: 0.8)),
        ("top-k 40, top-p 0.95", SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95)),
    ]

    private let logits: LayerRows
    private var sampler: Sampler
    private var workspace: SamplerWorkspace
    private var position = 0

    init(vocabularySize: Int, parameters: SamplingParameters) throws {
        logits = try LayerRows.allocated(rowCount: 1, columnCount: vocabularySize)
        var random = SplitMix64(seed: 1)
        random.fill(logits)
        // Wide enough that some tokens are much likelier than others, as with a trained model.
        for column in 0..<vocabularySize { logits[0, column] *= 12 }
        let admission = SequenceAdmission(
            sequence: SequenceID(1), prompt: [], generated: [], sampling: parameters, seed: 1, choice: 0,
            logprobCount: nil, promptLogprobCount: nil)
        sampler = Sampler(admission, vocabularyLimit: vocabularySize)
        workspace = SamplerWorkspace(vocabularyLimit: vocabularySize)
    }

    mutating func sample() {
        _ = sampler.sample(logits, position: position, workspace: &workspace)
        position += 1
    }
}
