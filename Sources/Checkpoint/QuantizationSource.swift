import Host
import Kernels

/// A tensor of a checkpoint under the name that it will have in a GGUF file.
struct QuantizationSource: Sendable {
    /// Name and extents in the new file.
    let shape: GGUFTensorShape
    /// Its type when it is not quantised.
    let keptType: TensorType
    /// Where its rows lie, one stretch after the other; none for numbers of the configuration.
    let slices: [TensorSlice]
    /// The numbers of a vector that no file holds as a tensor.
    let constants: [Float]?

    /// All tensors, in the order of llama-quantize.
    ///
    /// - Throws: `CheckpointError` when one has no place in such a file.
    static func all(of checkpoint: Checkpoint) throws(CheckpointError) -> [QuantizationSource] {
        switch checkpoint.source {
        case .gguf(let tensors):
            let sources = tensors.files.flatMap { file in
                file.tensorNames.compactMap { name in file.tensors[name].map { QuantizationSource($0, in: file.file) } }
            }
            return sources.sorted { $0.shape.precedes($1.shape) }
        case .huggingFace:
            return checkpoint.configuration.ggufTensors.compactMap { tensor in
                QuantizationSource(tensor, of: checkpoint)
            }
        }
    }

    /// A tensor of a GGUF file as it is.
    private init(_ tensor: GGUFTensor, in file: MappedFile) {
        shape = GGUFTensorShape(name: tensor.name, dimensions: tensor.dimensions)
        keptType = tensor.type
        constants = nil
        slices = [
            TensorSlice(
                name: tensor.name, type: tensor.type, rows: tensor.rows, columns: tensor.columns,
                rowByteCount: tensor.range.count / tensor.rows, file: file, range: tensor.range)
        ]
    }

    /// A tensor of a Hugging Face checkpoint; vectors become F32, as the converter makes them.
    private init?(_ tensor: GGUFModelTensor, of checkpoint: Checkpoint) {
        shape = tensor.shape
        keptType = .f32
        let longRope = checkpoint.configuration.longRope
        switch tensor.role {
        case .ropeFactorsShort: constants = longRope?.shortFactors
        case .ropeFactorsLong: constants = longRope?.longFactors
        default: constants = nil
        }
        slices = checkpoint.tensorIfPresent(tensor.role)?.slices ?? []
        guard constants != nil || !slices.isEmpty else { return nil }
    }

    /// Writes rows in the form that is planned for them.
    ///
    /// - Throws: `CheckpointError` naming the row with a number that the new type cannot hold.
    func convert(
        _ rows: Range<Int>, to plan: GGUFTensorPlan, into bytes: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        if let constants {
            // `copyMemory` checks that the numbers fit; a vector is a single row.
            unsafe constants.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
            return
        }
        var first = 0
        for slice in slices {
            let range = rows.clamped(to: first..<(first + slice.rows))
            if !range.isEmpty {
                let part = slice.rows((range.lowerBound - first)..<(range.upperBound - first))
                let start = (range.lowerBound - rows.lowerBound) * plan.rowByteCount
                // The rows of the slices follow one another, so the part lies within the bytes of `rows`.
                let target = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: bytes[start..<(start + range.count * plan.rowByteCount)])
                try unsafe convert(part, to: plan, into: target, firstRow: range.lowerBound)
            }
            first += slice.rows
        }
    }

    private func convert(
        _ part: TensorSlice, to plan: GGUFTensorPlan, into target: UnsafeMutableRawBufferPointer, firstRow: Int
    ) throws(CheckpointError) {
        guard let source = WeightFormat(ggmlType: part.type.rawValue),
            let wanted = WeightFormat(ggmlType: plan.type.rawValue)
        else { throw .unsupported(part.file.path, "\(part.type.name) cannot become \(plan.type.name)") }
        let failed: Int?
        do {
            let conversion = try RowConversion(from: source, to: wanted, columns: part.columns)
            // The slice keeps its file mapped during the call.
            failed = unsafe conversion.convert(try part.unsafeBytes(), into: target)
        } catch {
            throw CheckpointError(code: .unsupported, path: part.file.path, message: "\(error)")
        }
        guard let failed else { return }
        throw .malformed(
            part.file.path,
            "tensor \(quoted(part.name)), row \(firstRow + failed), holds a number that is not finite or too large for "
                + "\(plan.type.name); fetch the model again, or choose BF16 or F32")
    }
}
