import Foundation
import Kernels
import Testing

@Suite struct MatrixProductTests {
    static let available = ISA.allCases.filter(\.isAvailable)

    @Test(arguments: WeightFormat.allCases)
    func `all instruction sets give the same bits for every bit pattern of weights`(format: WeightFormat) throws {
        let seed = MatrixRandom.seed()
        print("seed \(seed)")
        var random = MatrixRandom(seed: seed)
        for rowCount in [1, 2, 3, 4, 5, 8, 17, 33] {
            let rows = 1 + Int(random.next() % 40)
            let columns = columns(format, &random)
            let isWild = rowCount % 2 == 1
            let weights =
                isWild
                ? random.bytes(rows * (try format.rowByteCount(columns: columns)))
                : try random.ordinaryWeights(format, rows: rows, columns: columns)
            let some = try MatrixCase(
                format: format, rows: rows, columns: columns, weights: weights,
                values: random.activations(rowCount * columns))
            let scalar = try some.product(0..<rowCount, isa: .scalar)
            for isa in Self.available {
                let same = try some.product(0..<rowCount, isa: isa) == scalar
                #expect(same, "\(format) \(isa): \(rowCount) of \(columns), \(rows) outputs, seed \(seed)")
            }
        }
    }

    @Test(arguments: WeightFormat.allCases)
    func `the largest and smallest weights and activations meet without overflow`(format: WeightFormat) throws {
        let columns = 512
        for byte in [0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0, 0x55, 0xaa] as [UInt8] {
            for sign in [1, -1] as [Float] {
                var weights = [UInt8](repeating: byte, count: 3 * (try format.rowByteCount(columns: columns)))
                for block in stride(from: 0, to: weights.count, by: format.blockByteCount) {
                    for offset in format.scaleOffsets {
                        weights[block + offset] = 0
                        weights[block + offset + 1] = 0x3c  // 1.0
                    }
                }
                let values = (0..<5 * columns).map { sign * ($0 / columns == 2 && $0 % 2 == 0 ? -1 : 1) }
                let some = try MatrixCase(format: format, rows: 3, columns: columns, weights: weights, values: values)
                let scalar = try some.product(0..<5, isa: .scalar)
                for isa in Self.available { #expect(try some.product(0..<5, isa: isa) == scalar, "\(isa) \(byte)") }
                try expectNear(some, scalar, "\(format) \(byte)")
            }
        }
    }

    @Test(arguments: WeightFormat.allCases)
    func `a row's outputs do not depend on the other rows, nor on the split into panels`(format: WeightFormat) throws {
        var random = MatrixRandom(seed: 21)
        let columns = 2 * max(32, format.blockSize), rows = 70, rowCount = 11
        let some = try MatrixCase(
            format: format, rows: rows, columns: columns,
            weights: try random.ordinaryWeights(format, rows: rows, columns: columns),
            values: random.activations(rowCount * columns))
        for isa in Self.available {
            let whole = try some.product(0..<rowCount, isa: isa)
            for row in 0..<rowCount { #expect(try some.product(row..<row + 1, isa: isa) == [whole[row]]) }
            #expect(try some.product(3..<9, isa: isa) == Array(whole[3..<9]))
            #expect(try some.product(0..<rowCount, isa: isa, panels: [3..<5, 0..<1, 1..<1, 1..<3]) == whole)
        }
    }

    @Test(arguments: WeightFormat.allCases)
    func `products agree with double precision`(format: WeightFormat) throws {
        let seed = MatrixRandom.seed()
        print("seed \(seed)")
        var random = MatrixRandom(seed: seed)
        let columns = 3 * max(32, format.blockSize), rows = 21
        let some = try MatrixCase(
            format: format, rows: rows, columns: columns,
            weights: try random.ordinaryWeights(format, rows: rows, columns: columns),
            values: random.activations(3 * columns))
        try expectNear(some, try some.product(0..<3, isa: .current), "\(format), seed \(seed)")
    }

    @Test func `stacked sources are one matrix, and packing may be split`() throws {
        var random = MatrixRandom(seed: 5)
        let parts = try [5, 16, 30].map {
            (rows: $0, weights: try random.ordinaryWeights(.q4K, rows: $0, columns: 256))
        }
        let values = random.activations(2 * 256)
        let together = try MatrixCase.pack(format: .q4K, columns: 256, stacked: parts)
        var expected: [[UInt32]] = [[], []]
        for part in parts {
            let alone = try MatrixCase(
                format: .q4K, rows: part.rows, columns: 256, weights: part.weights, values: values)
            for (row, bits) in try alone.product(0..<2, isa: .current).enumerated() { expected[row] += bits }
        }
        let buffer = try ActivationBuffer(layout: together.activationLayout, columns: 256, capacity: 2)
        buffer.fill(0..<2, from: MatrixRows(rows: 2, columns: 256, values: values).view)
        let output = MatrixRows(rows: 2, columns: 51)
        together.multiply(buffer, rowCount: 2, panels: 0..<together.panelCount, into: output.view)
        #expect(output.bits == expected)

        let all = parts.flatMap(\.weights)
        let split = try unsafe all.withUnsafeBytes { bytes in
            try PackedMatrix(
                format: .q4K, columns: 256, sources: [unsafe MatrixSource(rows: 51, bytes: bytes)],
                distribute: { count, body in for panel in (0..<count).reversed() { body(panel..<panel + 1) } })
        }
        let same = split.withPackedBytes { left in
            together.withPackedBytes { right in
                left.byteCount == right.byteCount
                    && (0..<left.byteCount).allSatisfy {
                        unsafe left.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                            == right.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                    }
            }
        }
        #expect(same)
    }

    @Test func `a non-finite activation or weight makes its outputs NaN, and all NaNs have one pattern`() throws {
        for isa in Self.available {
            for format in WeightFormat.allCases {
                var random = MatrixRandom(seed: 3)
                let columns = max(32, format.blockSize)
                let weights = try random.ordinaryWeights(format, rows: 4, columns: columns)
                var values = random.activations(2 * columns)
                values[columns + 1] = -.nan
                let some = try MatrixCase(format: format, rows: 4, columns: columns, weights: weights, values: values)
                let bits = try some.product(0..<2, isa: isa)
                #expect(bits[0].allSatisfy { Float(bitPattern: $0).isFinite })
                #expect(bits[1] == [UInt32](repeating: 0x7fc0_0000, count: 4))
            }
        }
    }

    private func columns(_ format: WeightFormat, _ random: inout MatrixRandom) -> Int {
        format.blockSize == 1 ? 1 + Int(random.next() % 200) : format.blockSize * (1 + Int(random.next() % 4))
    }

    /// Holds a product against the sum in double precision of what weights and stored activations stand for.
    private func expectNear(_ some: MatrixCase, _ product: [[UInt32]], _ comment: String) throws {
        let columns = some.matrix.columns
        let weights = MatrixRows(rows: 1, columns: columns)
        let stored = try (0..<some.rowCount).map { try storedActivations(some, row: $0) }
        for o in 0..<some.matrix.rows {
            some.matrix.dequantize(row: o, into: weights.view)
            for r in 0..<some.rowCount {
                var sum = 0.0
                var magnitude = 0.0
                for k in 0..<columns {
                    let term = Double(weights.view[0, k]) * stored[r][k]
                    sum += term
                    // A weight that is small because scale and minimum cancel still carries their rounding.
                    magnitude += abs(term) + abs(stored[r][k])
                }
                let value = Double(Float(bitPattern: product[r][o]))
                guard magnitude.isFinite, magnitude < 1e37 else { continue }
                #expect(abs(value - sum) <= 8e-6 * magnitude, "\(comment): row \(r), output \(o)")
            }
        }
    }

    private func storedActivations(_ some: MatrixCase, row: Int) throws -> [Double] {
        let columns = some.matrix.columns
        let numbers = Array(some.values[row * columns..<(row + 1) * columns])
        let layout = some.matrix.activationLayout
        guard layout != .float32 else { return numbers.map(Double.init) }
        let quantized = try MatrixActivationTests.Quantized(numbers, layout: layout, isa: .scalar)
        return quantized.values.enumerated().map { Double($1) * Double(quantized.scales[$0 / layout.blockSize]) }
    }
}
