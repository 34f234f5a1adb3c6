/// What a tensor is for in the model, whatever its file calls it.
public enum TensorRole: Sendable, Hashable, CustomStringConvertible {
    /// Embedding table, [vocabulary, hidden].
    case tokenEmbedding
    /// Weights of the last norm, [1, hidden].
    case outputNorm
    /// Head, [vocabulary, hidden]; absent when the embedding table serves as the head.
    case output
    /// Divisors of the rotary frequencies for long sequences, [1, rotary / 2]; only GGUF stores them as a tensor.
    case ropeFactorsLong
    /// The same for short sequences.
    case ropeFactorsShort
    /// A tensor of one layer.
    case layer(Int, LayerTensor)

    public var description: String {
        switch self {
        case .tokenEmbedding: "token embedding"
        case .outputNorm: "output norm"
        case .output: "output head"
        case .ropeFactorsLong: "long RoPE factors"
        case .ropeFactorsShort: "short RoPE factors"
        case .layer(let index, let tensor): "\(tensor.rawValue) of layer \(index)"
        }
    }
}

/// The tensors of a layer; shapes are [rows, columns] with the input along the columns.
public enum LayerTensor: String, Sendable, Hashable, CaseIterable {
    /// [1, hidden]
    case attentionNorm
    /// Queries, keys, values in this order: [(heads + 2 kvHeads) headDimension, hidden].
    case qkv
    /// [hidden, heads headDimension]
    case attentionOutput
    /// [1, hidden]
    case ffnNorm
    /// Gate rows, then up rows: [2 feedForward, hidden].
    case gateUp
    /// [hidden, feedForward]
    case ffnDown
}

extension ModelConfiguration {
    /// The shape that a tensor must have.
    func shape(of role: TensorRole) -> (rows: Int, columns: Int) {
        switch role {
        case .tokenEmbedding, .output: (vocabularySize, hiddenSize)
        case .outputNorm: (1, hiddenSize)
        case .ropeFactorsLong, .ropeFactorsShort: (1, rotaryDimension / 2)
        case .layer(_, .attentionNorm), .layer(_, .ffnNorm): (1, hiddenSize)
        case .layer(_, .qkv): (qkvRowCount, hiddenSize)
        case .layer(_, .attentionOutput): (hiddenSize, queryWidth)
        case .layer(_, .gateUp): (2 * feedForwardSize, hiddenSize)
        case .layer(_, .ffnDown): (hiddenSize, feedForwardSize)
        }
    }
}
