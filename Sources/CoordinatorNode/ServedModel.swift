import Checkpoint
import Cluster
import Foundation
import Inference
import Kernels
import Scheduling
import Tokenization

/// The checkpoint as the coordinator needs it: its description, its sizes and its tokenizer, not its weights.
struct ServedModel: Sendable {
    let description: ModelDescription
    let tokenizerDefinition: [UInt8]
    private let model: ModelConfiguration
    private let footprint: ModelFootprint
    private let modelPath: String
    private let pageLimit: Int

    /// Opens the checkpoint; throws what `Checkpoint.open` throws and `CoordinatorError` for a context that the model
    /// cannot have.
    init(configuration: CoordinatorConfiguration) throws {
        let checkpoint = try Checkpoint.open(configuration.modelPath)
        let model = checkpoint.configuration
        let contextLength =
            configuration.contextLength ?? min(model.contextLength, CoordinatorConfiguration.defaultContextLimit)
        guard contextLength <= model.contextLength else {
            throw CoordinatorError(
                "a context of \(contextLength) tokens was asked for, but \(configuration.modelPath) was trained for "
                    + "\(model.contextLength); use --ctx-size \(model.contextLength) or less")
        }
        let definition = try checkpoint.tokenizerDefinition()
        let encoded = definition.encoded()
        var hash = ContentHash()
        hash.update(encoded)
        let fingerprint = try checkpoint.fingerprint(rememberedIn: configuration.cacheDirectory)
        self.model = model
        modelPath = configuration.modelPath
        tokenizerDefinition = encoded
        footprint = try Self.footprint(checkpoint, configuration)
        pageLimit = try Self.pageLimit(footprint, contextLength: contextLength, configuration)
        description = ModelDescription(
            id: configuration.modelAlias, name: checkpoint.name, fingerprint: fingerprint,
            systemFingerprint: "fp_\(fingerprint.prefix(12))_\(configuration.kvType.name)_f32_n\(numericsVersion)",
            contextLength: contextLength, vocabularySize: min(definition.vocabularySize, model.vocabularySize),
            layerCount: model.layerCount, parameterCount: checkpoint.parameterCount,
            endOfSequenceTokens: Self.endTokens(model, definition),
            tokenizerHash: hash.hexadecimal(), createdSeconds: Int(Date().timeIntervalSince1970),
            card: checkpoint.modelCard, architecture: model.architecture.rawValue,
            quantization: checkpoint.typeSummary, weightByteCount: checkpoint.weightByteCount,
            license: checkpoint.license, hiddenSize: model.hiddenSize)
    }

    /// The union of what the configuration and the tokenizer name.
    private static func endTokens(_ model: ModelConfiguration, _ definition: TokenizerDefinition) -> [Int32] {
        let named = model.endOfSequenceIDs.compactMap { Int32(exactly: $0) }
        return Set(named).union(definition.endOfSequenceIDs).sorted()
    }

    /// Pages for one sequence of the whole context. The last token of an answer is never computed.
    private var pageCount: Int { KVPage.count(holding: description.contextLength) }

    /// The most pages that are of use: for all sequences that may run, or what the memory meant for them holds.
    private static func pageLimit(
        _ footprint: ModelFootprint, contextLength: Int, _ configuration: CoordinatorConfiguration
    ) throws -> Int {
        let contextPageCount = KVPage.count(holding: contextLength)
        let (wanted, overflow) = contextPageCount.multipliedReportingOverflow(by: configuration.runningSequenceLimit)
        let most = overflow ? Int(UInt32.max) : min(wanted, Int(UInt32.max))
        guard let byteCount = configuration.kvMemoryByteCount else { return most }
        let pageByteCount = footprint.kvBytesPerPagePerLayer * footprint.layerCount
        let pageCount = byteCount / max(1, pageByteCount)
        guard pageCount >= contextPageCount else {
            throw CoordinatorError(
                "--kv-memory \(byteCount) bytes hold \(pageCount * KVPage.positionCount) tokens, less than one context of "
                    + "\(contextLength); give it \(contextPageCount * pageByteCount) bytes or more, or lower --ctx-size"
            )
        }
        return min(most, pageCount)
    }

    func clusterConfiguration(_ configuration: CoordinatorConfiguration) -> ClusterConfiguration {
        ClusterConfiguration(
            model: footprint, modelPath: modelPath, modelFingerprint: description.fingerprint,
            kvType: configuration.kvType, pageCount: pageCount, pageLimit: pageLimit,
            maxRowCount: configuration.chunkRowCount, vocabularyLimit: description.vocabularySize,
            numericsVersion: numericsVersion,
            minimumWorkerCount: configuration.minimumWorkerCount, layerCounts: configuration.split,
            replicaCount: configuration.replicaCount, streamLimit: configuration.runningSequenceLimit,
            heartbeatMilliseconds: configuration.heartbeatMilliseconds,
            silenceMilliseconds: configuration.silenceMilliseconds,
            progressMilliseconds: configuration.progressMilliseconds)
    }

    /// What a stage of the model costs: weights as packed, keys and values, and the rows in flight.
    private static func footprint(
        _ checkpoint: Checkpoint, _ configuration: CoordinatorConfiguration
    ) throws -> ModelFootprint {
        guard checkpoint.hasWeights else {
            throw CoordinatorError(
                "\(configuration.modelPath) holds a vocabulary but no weights; name a whole checkpoint with --model")
        }
        return ModelFootprint(
            checkpoint, kvType: configuration.kvType, chunkRowCount: configuration.chunkRowCount)
    }

    func schedulerConfiguration(_ configuration: CoordinatorConfiguration) -> SchedulerConfiguration {
        SchedulerConfiguration(
            contextLength: description.contextLength, vocabularySize: description.vocabularySize,
            endOfSequenceTokens: Set(description.endOfSequenceTokens),
            originalContextLength: model.longRope == nil ? nil : model.originalContextLength,
            forcesLongRope: configuration.forcesLongRope, maxRowCount: configuration.chunkRowCount,
            pacedChunkRowCount: configuration.pacedChunkRowCount,
            waitingRequestLimit: configuration.waitingRequestLimit,
            runningSequenceLimit: configuration.runningSequenceLimit,
            defaultTimeoutMilliseconds: configuration.requestTimeoutMilliseconds)
    }
}
