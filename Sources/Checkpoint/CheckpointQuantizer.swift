import Foundation
import Host
import Kernels
import Tokenization

/// Turns a checkpoint into a GGUF file of other types.
///
/// Of a GGUF model all metadata and all tensors are carried along, in the order and with the rounding of llama-quantize
/// without an importance matrix: the file is the same byte for byte. Of a Hugging Face directory the metadata and the
/// tokenizer are written as llama.cpp's converter writes them, and tensors are quantised straight from what is stored.
public struct CheckpointQuantizer: Sendable {
    /// What the tensors become.
    public let mix: QuantizationMix
    /// The tensors of the new file, in its order.
    public let plans: [GGUFTensorPlan]

    private let sources: [QuantizationSource]
    private let metadata: GGUFMetadata

    /// Plans the new file; reads nothing but headers and tokenizer.
    ///
    /// - Parameters:
    ///   - isPure: whether every matrix gets the mixture's base type, output and all.
    ///   - allowsRequantizing: whether tensors that are quantised already may be quantised anew.
    /// - Throws: `CheckpointError` when there are no weights, or they are quantised already.
    public init(
        _ checkpoint: Checkpoint, mix: QuantizationMix, isPure: Bool = false, allowsRequantizing: Bool = false
    ) throws(CheckpointError) {
        guard checkpoint.hasWeights else {
            throw .missing(checkpoint.path, "has no weights, only a configuration and a tokenizer; name a whole model")
        }
        let sources = try QuantizationSource.all(of: checkpoint)
        let types = mix.types(of: sources.map(\.shape), in: checkpoint.configuration, isPure: isPure)
        let plans = zip(sources, types).map { source, type in
            GGUFTensorPlan(name: source.shape.name, type: type ?? source.keptType, dimensions: source.shape.dimensions)
        }
        for (source, plan) in zip(sources, plans) where !allowsRequantizing {
            guard let slice = source.slices.first(where: { !$0.type.isFloat && $0.type != plan.type }) else { continue }
            throw .unsupported(
                slice.file.path,
                "tensor \(quoted(slice.name)) is quantised already (\(slice.type.name)), and doing it again loses more; "
                    + "start from the F32, F16 or BF16 model, or say --allow-requantize")
        }
        self.mix = mix
        self.sources = sources
        self.plans = plans
        metadata = try checkpoint.ggufMetadata(for: mix)
    }

    /// Bytes of all tensors of the new file.
    public var weightByteCount: Int { plans.reduce(0) { $0 + $1.byteCount } }

    /// Writes the new file. Takes memory for a few pieces of it only; pages of the old one are given back.
    ///
    /// - Parameters:
    ///   - threadCount: threads that quantise and write.
    ///   - replacesExisting: whether a file of that name is replaced.
    ///   - progress: called now and then with the share that is done, 0 to 1.
    /// - Throws: `CheckpointError` or `HostError`; nothing of the file remains then.
    public func write(
        to path: String, threadCount: Int, replacesExisting: Bool = false, progress: (Double) -> Void = { _ in }
    ) throws {
        try refuseOwnInput(path)
        let writer = try GGUFWriter(
            path: path, metadata: metadata, tensors: plans, replacesExisting: replacesExisting)
        let pool = try ComputePool(threadCount: threadCount)
        var done = 0
        for (index, source) in sources.enumerated() {
            let plan = plans[index]
            try unsafe writer.fill(
                index, pool: pool,
                progress: { byteCount in
                    done += byteCount
                    progress(Double(done) / Double(max(1, weightByteCount)))
                },
                { (rows, bytes) throws(CheckpointError) in try unsafe source.convert(rows, to: plan, into: bytes) })
            for slice in source.slices { slice.file.adviseDontNeed(slice.range) }
        }
        try writer.finish()
    }

    /// Throws when `path` leads to a file that is being read.
    private func refuseOwnInput(_ path: String) throws(CheckpointError) {
        guard let existing = try? MappedFile(path: path).identity else { return }
        for slice in sources.flatMap(\.slices) {
            let identity = slice.file.identity
            guard identity.device != existing.device || identity.inode != existing.inode else {
                throw .inconsistent(path, "is the input itself; name another file for the output")
            }
        }
    }
}

extension Checkpoint {
    /// The metadata of a GGUF file with the same model in other types.
    fileprivate func ggufMetadata(for mix: QuantizationMix) throws(CheckpointError) -> GGUFMetadata {
        switch source {
        case .gguf(let tensors):
            guard let first = tensors.files.first else { throw .missing(path, "has no metadata") }
            var metadata = try GGUFMetadata(copying: first)
            metadata.set("general.quantization_version", UInt32(2))
            metadata.set("general.file_type", mix.rawValue)
            for key in ["split.no", "split.count", "split.tensors.count"] { metadata.remove(key) }
            return metadata
        case .huggingFace(_, let directory):
            var metadata = configuration.ggufMetadata(name: name, parameterCount: parameterCount, fileType: mix)
            let model = try TextFile.data(
                directory.appendingPathComponent("tokenizer.model").path, limit: TextFile.tokenizerLimit)
            let definition = try tokenizerDefinition()
            do {
                let tokenizer = try definition.ggufMetadata(
                    vocabularySize: configuration.vocabularySize, sentencePieceModel: model.map { [UInt8]($0) })
                metadata.set(tokenizer)
            } catch {
                throw CheckpointError(error, path: path)
            }
            return metadata
        }
    }
}
