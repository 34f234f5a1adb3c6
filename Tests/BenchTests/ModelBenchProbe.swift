import Checkpoint
import Host
import Inference
import Phi

@testable import Bench

/// The engine of the bench, seen from inside.
enum ModelBenchProbe {
    /// What streams generate from one token after a shared context.
    static func generate(_ checkpoint: Checkpoint, plan: ModelBenchPlan) throws -> [[Int32]] {
        let pool = try ComputePool(threadCount: 1)
        guard let layers = LayerRange(first: 0, end: checkpoint.configuration.layerCount) else { return [] }
        let model = try StageModel.load(checkpoint, layers: layers, pool: pool)
        let engine = try BenchEngine(model: model, plan: plan, pool: pool)
        var streams = try engine.makeStreams(3, context: (0..<plan.depth).map { Int32($0 % 50 + 10) })
        for index in streams.indices { streams[index].nextToken = 42 }
        try engine.admit(&streams)
        for index in streams.indices { streams[index].nextToken = 42 }
        var tokens = [[Int32]](repeating: [], count: streams.count)
        for offset in 0..<plan.generatedCount {
            try engine.decode(&streams, count: 1, after: offset)
            for (index, stream) in streams.enumerated() { tokens[index].append(stream.nextToken) }
        }
        return tokens
    }
}
