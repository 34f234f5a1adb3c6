import Kernels

/// The forms in which activations of one width are handed to matrices, one buffer per form that some matrix needs.
struct ActivationSet: Sendable {
    private let buffers: [ActivationBuffer]

    /// - Parameters:
    ///   - matrices: those that read activations of `columns` numbers.
    init(matrices: [PackedMatrix], columns: Int, capacity: Int) throws {
        var layouts: [ActivationLayout] = []
        for matrix in matrices where matrix.columns == columns && !layouts.contains(matrix.activationLayout) {
            layouts.append(matrix.activationLayout)
        }
        buffers = try layouts.map { layout in
            try ActivationBuffer(layout: layout, columns: columns, capacity: capacity)
        }
    }

    /// The buffer that a matrix reads.
    func buffer(for matrix: PackedMatrix) -> ActivationBuffer {
        for buffer in buffers where buffer.layout == matrix.activationLayout && buffer.columns == matrix.columns {
            return buffer
        }
        preconditionFailure("activations were reserved for every matrix of the stage")
    }
}
