package import Checkpoint
package import Cluster
package import Inference

extension ModelFootprint {
    /// What a stage of a model costs: weights as packed, keys and values, and the rows in flight.
    ///
    /// - Parameter chunkRowCount: the most rows in a step.
    package init(_ checkpoint: Checkpoint, kvType: KVType, chunkRowCount: Int) {
        self.init(
            model: checkpoint.configuration,
            layerByteCounts: (0..<checkpoint.configuration.layerCount).map { checkpoint.layerByteCount($0) },
            embeddingByteCount: checkpoint.embeddingByteCount, headByteCount: checkpoint.headByteCount,
            kvType: kvType, chunkRowCount: chunkRowCount)
    }

    /// The same for a model that lies nowhere yet, whose tensors are stored as `mix` says.
    package init(_ model: ModelConfiguration, mix: QuantizationMix, kvType: KVType, chunkRowCount: Int) {
        var layers = [Int](repeating: 0, count: model.layerCount)
        var (embedding, head, norm) = (0, 0, 0)
        for entry in model.ggufPlan(mix) {
            switch entry.tensor.role {
            case .layer(let layer, _): layers[layer] += entry.plan.byteCount
            case .tokenEmbedding: embedding = entry.plan.byteCount
            case .output: head = entry.plan.byteCount
            case .outputNorm: norm = entry.plan.byteCount
            case .ropeFactorsLong, .ropeFactorsShort: break
            }
        }
        self.init(
            model: model, layerByteCounts: layers, embeddingByteCount: embedding,
            headByteCount: norm + (model.tiedEmbeddings ? embedding : head), kvType: kvType,
            chunkRowCount: chunkRowCount)
    }

    private init(
        model: ModelConfiguration, layerByteCounts: [Int], embeddingByteCount: Int, headByteCount: Int,
        kvType: KVType, chunkRowCount: Int
    ) {
        let kvByteCount = 2 * model.kvHeadCount * kvType.byteCount(headSize: model.headDimension) * KVPage.positionCount
        // A row of every intermediate result, as float32 and once more as quantised activations.
        let rowWidth = 4 * model.hiddenSize + model.qkvRowCount + 2 * model.queryWidth + 4 * model.feedForwardSize
        let logitsByteCount = model.vocabularySize * 4 * 2
        let layerWeights =
            model.qkvRowCount * model.hiddenSize + model.hiddenSize * model.queryWidth
            + 3 * model.feedForwardSize * model.hiddenSize
        self.init(
            layerByteCounts: layerByteCounts, embeddingByteCount: embeddingByteCount, headByteCount: headByteCount,
            headIsEmbedding: model.tiedEmbeddings, kvBytesPerPagePerLayer: kvByteCount,
            workspaceByteCount: rowWidth * 8 * chunkRowCount + logitsByteCount + Self.processByteCount,
            layerMultiplyAddCount: layerWeights, headMultiplyAddCount: model.vocabularySize * model.hiddenSize,
            rowByteCount: model.hiddenSize * MemoryLayout<Float>.stride)
    }

    /// The program itself, its connections and the parts of the file that it reads.
    private static let processByteCount = 48 << 20
}
