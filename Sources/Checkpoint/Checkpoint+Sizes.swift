extension Checkpoint {
    /// Bytes of one layer's weights in the file; 0 without weights.
    public func layerByteCount(_ layer: Int) -> Int {
        precondition((0..<configuration.layerCount).contains(layer), "no such layer")
        return LayerTensor.allCases.reduce(0) { $0 + (tensorIfPresent(.layer(layer, $1))?.byteCount ?? 0) }
    }

    /// Bytes of the embedding table in the file.
    public var embeddingByteCount: Int { tensorIfPresent(.tokenEmbedding)?.byteCount ?? 0 }

    /// Bytes of the last norm and the head in the file; the embedding table counts here too when the head is tied.
    public var headByteCount: Int {
        let head = configuration.tiedEmbeddings ? tensorIfPresent(.tokenEmbedding) : tensorIfPresent(.output)
        return (head?.byteCount ?? 0) + (tensorIfPresent(.outputNorm)?.byteCount ?? 0)
    }

    /// Bytes of all weights in the file, each counted once.
    public var weightByteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Numbers in all weights, each counted once; RoPE factors are not weights.
    public var parameterCount: Int {
        tensors.reduce(0) { count, view in
            switch view.role {
            case .ropeFactorsLong, .ropeFactorsShort: count
            default: count + view.rows * view.columns
            }
        }
    }
}
