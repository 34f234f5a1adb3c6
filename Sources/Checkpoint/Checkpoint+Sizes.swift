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

    /// The tensors by type, the most frequent first: "Q8_0 x 37, F32 x 13".
    public var typeSummary: String {
        var counts: [String: Int] = [:]
        for view in tensors { counts[view.typeName, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) x \($0.value)" }.joined(separator: ", ")
    }
}

extension TensorView {
    /// The name of the type; "mixed" for a tensor that is put together from parts of different types.
    public var typeName: String { type?.name ?? "mixed" }
}
