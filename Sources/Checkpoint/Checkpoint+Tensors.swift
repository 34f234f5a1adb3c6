import Host

extension Checkpoint.Source {
    /// Finds every tensor of the model and holds its shape against the configuration.
    ///
    /// - Throws: `CheckpointError` naming the tensor, what was expected and what was found.
    func views(_ model: ModelConfiguration, path: String) throws(CheckpointError) -> [TensorRole: TensorView] {
        guard !isEmpty else { return [:] }
        var views: [TensorRole: TensorView] = [:]
        for role in Checkpoint.roles(model) {
            if let view = try view(role, model) {
                views[role] = view
                continue
            }
            switch role {
            case .output where model.tiedEmbeddings: continue
            case .ropeFactorsLong, .ropeFactorsShort: continue
            default:
                let names = (self.names.spellings(role, model).first ?? []).map(\.name).joined(separator: " + ")
                throw .missing(path, "tensor \(quoted(names)) is missing (\(role)); fetch the complete model")
            }
        }
        // Some tied checkpoints store the table twice; the head is then the embedding all the same.
        if model.tiedEmbeddings { views[.output] = nil }
        return views
    }

    private var isEmpty: Bool {
        switch self {
        case .gguf(let tensors): tensors.isEmpty
        case .huggingFace(let tensors, _): tensors.isEmpty
        }
    }

    private var names: TensorNames {
        switch self {
        case .gguf: .gguf
        case .huggingFace: .huggingFace
        }
    }

    private func view(_ role: TensorRole, _ model: ModelConfiguration) throws(CheckpointError) -> TensorView? {
        let shape = model.shape(of: role)
        for spelling in names.spellings(role, model) {
            var slices: [TensorSlice] = []
            for (name, rows) in spelling {
                guard let slice = try slice(name) else { break }
                guard slice.rows == rows, slice.columns == shape.columns else {
                    throw .inconsistent(
                        slice.file.path,
                        "tensor \(quoted(name)) (\(role)) has shape [\(slice.rows), \(slice.columns)], but the "
                            + "configuration asks for [\(rows), \(shape.columns)]; fetch matching files")
                }
                slices.append(slice)
            }
            if slices.count == spelling.count {
                return TensorView(role: role, rows: shape.rows, columns: shape.columns, slices: slices)
            }
        }
        return nil
    }

    /// The whole tensor of a name as rows; nil when there is none.
    private func slice(_ name: String) throws(CheckpointError) -> TensorSlice? {
        switch self {
        case .gguf(let tensors):
            guard let (tensor, file) = tensors[name] else { return nil }
            return try slice(
                name, tensor.type, rows: tensor.rows, columns: tensor.columns, file: file, range: tensor.range)
        case .huggingFace(let tensors, _):
            guard let (tensor, file) = tensors[name] else { return nil }
            guard let type = tensor.type else {
                throw .unsupported(
                    file.path,
                    "tensor \(quoted(name)) has dtype \(quoted(tensor.typeName)), which is not supported; "
                        + "F32, F16 and BF16 are")
            }
            guard let columns = tensor.shape.last, columns > 0, !tensor.range.isEmpty else {
                throw .malformed(file.path, "tensor \(quoted(name)) has the shape \(tensor.shape), which holds nothing")
            }
            // No overflow: the product of the shape was checked against the bytes in the file.
            let rows = tensor.shape.dropLast().reduce(1, *)
            return try slice(name, type, rows: rows, columns: columns, file: file, range: tensor.range)
        }
    }

    private func slice(
        _ name: String, _ type: TensorType, rows: Int, columns: Int, file: MappedFile, range: Range<Int>
    ) throws(CheckpointError) -> TensorSlice {
        guard let rowByteCount = type.rowByteCount(columns: columns), rowByteCount * rows == range.count else {
            throw .malformed(file.path, "tensor \(quoted(name)) does not fill its bytes; the file is corrupt")
        }
        return TensorSlice(
            name: name, type: type, rows: rows, columns: columns, rowByteCount: rowByteCount, file: file, range: range)
    }
}
