import Kernels

/// Rows of numbers for a test, with memory of their own.
final class MatrixRows {
    let view: LayerRows
    private let memory: Memory

    @safe private final class Memory {
        let start: UnsafeMutablePointer<Float>

        init(count: Int) {
            unsafe start = .allocate(capacity: count)
            unsafe start.initialize(repeating: -7, count: count)
        }

        deinit {
            unsafe start.deallocate()
        }
    }

    init(rows: Int, columns: Int, values: [Float]? = nil) {
        memory = Memory(count: max(1, rows * columns))
        view = unsafe LayerRows(
            start: memory.start, owner: memory, rowCount: rows, columnCount: columns, stride: columns)
        guard let values else { return }
        for row in 0..<rows {
            for column in 0..<columns { view[row, column] = values[row * columns + column] }
        }
    }

    /// The bits of a row, so that equal means equal bits.
    func bits(_ row: Int) -> [UInt32] {
        (0..<view.columnCount).map { view[row, $0].bitPattern }
    }

    /// The bits of all rows.
    var bits: [[UInt32]] { (0..<view.rowCount).map { bits($0) } }
}

/// A matrix, activations, and its product in several ways.
struct MatrixCase {
    let matrix: PackedMatrix
    let values: [Float]
    let rowCount: Int

    init(format: WeightFormat, rows: Int, columns: Int, weights: [UInt8], values: [Float]) throws {
        matrix = try Self.pack(format: format, columns: columns, stacked: [(rows, weights)])
        self.values = values
        rowCount = values.count / columns
    }

    /// Packs rows of several tensors as one matrix.
    static func pack(
        format: WeightFormat, columns: Int, stacked: [(rows: Int, weights: [UInt8])]
    ) throws -> PackedMatrix {
        var bytes: [UInt8] = []
        for part in stacked { bytes += part.weights }
        return try unsafe bytes.withUnsafeBytes { all in
            var sources: [MatrixSource] = []
            var offset = 0
            for part in stacked {
                let slice = unsafe UnsafeRawBufferPointer(rebasing: all[offset..<offset + part.weights.count])
                sources.append(unsafe MatrixSource(rows: part.rows, bytes: slice))
                offset += part.weights.count
            }
            return try PackedMatrix(format: format, columns: columns, sources: sources)
        }
    }

    /// Activations `rows` of this case, filled in.
    func buffer(_ rows: Range<Int>, isa: ISA) throws -> ActivationBuffer {
        let buffer = try ActivationBuffer(
            layout: matrix.activationLayout, columns: matrix.columns, capacity: rows.count)
        let chosen = Array(values[rows.lowerBound * matrix.columns..<rows.upperBound * matrix.columns])
        let source = MatrixRows(rows: rows.count, columns: matrix.columns, values: chosen)
        buffer.fill(0..<rows.count, from: source.view, isa: isa)
        return buffer
    }

    /// The bits of the product of some activation rows, computed by the given ranges of panels.
    func product(_ rows: Range<Int>, isa: ISA, panels: [Range<Int>]? = nil) throws -> [[UInt32]] {
        let output = MatrixRows(rows: rows.count, columns: matrix.rows)
        let buffer = try buffer(rows, isa: isa)
        for range in panels ?? [0..<matrix.panelCount] {
            matrix.multiply(buffer, rowCount: rows.count, panels: range, into: output.view, isa: isa)
        }
        return output.bits
    }
}
