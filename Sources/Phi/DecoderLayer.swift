import Inference
import Kernels

/// The weights of one decoder layer.
struct DecoderLayer: Sendable {
    /// RMSNorm before attention: 1 x hidden.
    let attentionNorm: LayerRows
    /// Fused projection; its rows are the queries, then the keys, then the values.
    let queryKeyValue: PackedMatrix
    /// Attention's output projection: hidden x (heads * head size).
    let attentionOutput: PackedMatrix
    /// RMSNorm before the feed-forward part: 1 x hidden.
    let feedForwardNorm: LayerRows
    /// Fused projection; its rows are the gate, then up.
    let gateUp: PackedMatrix
    /// hidden x feed-forward.
    let down: PackedMatrix

    /// The matrices, in the order of use.
    var matrices: [PackedMatrix] { [queryKeyValue, attentionOutput, gateUp, down] }
}

/// The sizes that the forward pass works with.
struct DecoderShape: Sendable, Hashable {
    let hiddenSize: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headSize: Int
    let feedForwardSize: Int
    /// Rows of the embedding and of the head, padding included.
    let vocabularySize: Int
    /// Positions that a row sees, itself included; 0 for all.
    let slidingWindow: Int
    let normEpsilon: Float
    /// The most positions of a sequence.
    let contextLength: Int

    /// Query heads per key/value head.
    var groupCount: Int { headCount / keyValueHeadCount }
    /// Columns of all queries together.
    var queryColumnCount: Int { headCount * headSize }
    /// Columns of all keys, or all values, together.
    var keyValueColumnCount: Int { keyValueHeadCount * headSize }
    /// Columns of the fused projection.
    var fusedColumnCount: Int { queryColumnCount + 2 * keyValueColumnCount }
    /// Logical pages of the longest sequence.
    var maxLogicalPageCount: Int {
        KVPage.count(holding: contextLength)
    }
}
