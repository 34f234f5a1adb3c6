public import Checkpoint
import Host
import Kernels

/// A GGUF file of random weights in the exact shapes, types and metadata of a real model.
///
/// The file is a function of shape, mixture, layers and seed alone: not of the machine and not of the threads.
public struct SyntheticCheckpoint: Sendable {
    /// The shape that it was asked for.
    public let shape: SyntheticShape
    /// The hyperparameters; the shape's unless it was given another number of layers.
    public let configuration: ModelConfiguration
    /// How weights are stored.
    public let mix: QuantizationMix
    /// What the weights are drawn with.
    public let seed: UInt64

    private let tensors: [(tensor: GGUFModelTensor, plan: GGUFTensorPlan)]

    /// - Parameter layerCount: layers instead of the shape's own, 1 to 1024.
    public init(shape: SyntheticShape, mix: QuantizationMix, seed: UInt64 = 0, layerCount: Int? = nil) {
        var configuration = shape.configuration
        if let layerCount {
            precondition((1...1024).contains(layerCount), "a model has 1 to 1024 layers")
            configuration.layerCount = layerCount
        }
        self.shape = shape
        self.configuration = configuration
        self.mix = mix
        self.seed = seed
        tensors = configuration.ggufPlan(mix)
    }

    /// Numbers in all weights.
    public var parameterCount: Int {
        tensors.reduce(0) { count, entry in
            switch entry.tensor.role {
            case .ropeFactorsLong, .ropeFactorsShort: count
            default: count + entry.plan.rows * entry.plan.columns
            }
        }
    }

    /// Writes the file. Takes memory for a few pieces of it only.
    ///
    /// - Parameters:
    ///   - threadCount: threads that draw and write.
    ///   - replacesExisting: whether a file of that name is replaced.
    ///   - progress: called now and then with the share that is done, 0 to 1.
    /// - Throws: `CheckpointError`, `HostError` or `KernelsError`; nothing of the file remains then.
    public func write(
        to path: String, threadCount: Int, replacesExisting: Bool = false, progress: (Double) -> Void = { _ in }
    ) throws {
        var metadata = configuration.ggufMetadata(
            name: "Synthetic \(shape.rawValue)", parameterCount: parameterCount, fileType: mix)
        metadata.set(SyntheticTokenizer.metadata(for: shape))
        let writer = try GGUFWriter(
            path: path, metadata: metadata, tensors: tensors.map(\.plan), replacesExisting: replacesExisting)
        let pool = try ComputePool(threadCount: threadCount)
        let total = tensors.reduce(0) { $0 + $1.plan.byteCount }
        var done = 0
        for (index, entry) in tensors.enumerated() {
            if let numbers = constants(entry.tensor.role, count: entry.plan.columns) {
                // Floats seen as bytes; this engine's machines are little-endian, as the file is.
                try unsafe writer.write(numbers.span.bytes, tensor: index, at: 0)
                done += entry.plan.byteCount
                continue
            }
            guard let format = WeightFormat(ggmlType: entry.plan.type.rawValue) else {
                throw KernelsError("there are no kernels for \(entry.plan.type.name)")
            }
            let rows = try SyntheticRows(
                format: format, columns: entry.plan.columns,
                deviation: deviation(entry.tensor.role, columns: entry.plan.columns))
            let tensorKey = SplitMix64.mixed(SplitMix64.mixed(seed) &+ UInt64(index))
            try unsafe writer.fill(
                index, pool: pool,
                progress: { byteCount in
                    done += byteCount
                    progress(Double(done) / Double(total))
                },
                { range, bytes in
                    unsafe rows.draw(range, key: { SplitMix64.mixed(tensorKey &+ UInt64($0)) }, into: bytes)
                })
        }
        try writer.finish()
    }

    /// The numbers of a vector: norms are 1, factors are the configuration's. Nil for a matrix.
    private func constants(_ role: TensorRole, count: Int) -> [Float]? {
        switch role {
        case .outputNorm, .layer(_, .attentionNorm), .layer(_, .ffnNorm): [Float](repeating: 1, count: count)
        case .ropeFactorsShort: configuration.longRope?.shortFactors
        case .ropeFactorsLong: configuration.longRope?.longFactors
        case .tokenEmbedding, .output, .layer: nil
        }
    }

    /// Deviations with which every matrix hands on activations of about the size that it gets: inputs are normalised, so
    /// a product with a row of n weights of deviation s has the deviation s · √n. Embeddings begin the residual stream,
    /// unless they are the head as well.
    private func deviation(_ role: TensorRole, columns: Int) -> Double {
        if role == .tokenEmbedding, !configuration.tiedEmbeddings { return 1 }
        return max(0.02, 1 / Double(columns).squareRoot())
    }
}
