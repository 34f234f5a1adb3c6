import Foundation
import Kernels
import TestSupport
import Testing

/// Quantised rows, against ggml's own quantisers: `Tests/Reference/quantize/make_vectors.py`.
@Suite struct QuantizeTests {
    /// Rows of numbers, and what ggml makes of them in each format.
    struct Golden {
        let rows: [[Float]]
        let quantized: [(format: WeightFormat, rows: [[UInt8]])]

        init() throws {
            let url = Repository.tests.appendingPathComponent("KernelsTests/Resources/quantize.bin")
            let data = [UInt8](try Data(contentsOf: url))
            var position = 0
            func word() -> UInt32 {
                defer { position += 4 }
                return (0..<4).reduce(0) { $0 | UInt32(data[position + $1]) << ($1 * 8) }
            }
            let (rowCount, columns) = (Int(word()), Int(word()))
            rows = (0..<rowCount).map { _ in (0..<columns).map { _ in Float(bitPattern: word()) } }
            quantized = try (0..<word()).map { _ in
                let format = try #require(WeightFormat(ggmlType: word()))
                let byteCount = try format.rowByteCount(columns: columns)
                let rows = (0..<rowCount).map { _ in
                    defer { position += byteCount }
                    return Array(data[position..<position + byteCount])
                }
                return (format, rows)
            }
            #expect(position == data.count)
        }
    }

    /// Rows one after the other, converted.
    private func convert(_ bytes: [UInt8], _ conversion: RowConversion) -> (bytes: [UInt8], failedRow: Int?) {
        var target = [UInt8](
            repeating: 0xA5, count: bytes.count / conversion.sourceByteCount * conversion.targetByteCount)
        let failed = unsafe bytes.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { target in unsafe conversion.convert(source, into: target) }
        }
        return (target, failed)
    }

    private func bytes(_ numbers: [Float]) -> [UInt8] {
        numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> ($0 * 8)) } }
    }

    @Test func `every format quantises as ggml does, byte for byte`() throws {
        let golden = try Golden()
        #expect(Set(golden.quantized.map(\.format)) == Set(WeightFormat.allCases).subtracting([.f32]))
        for (format, expected) in golden.quantized {
            for (number, row) in golden.rows.enumerated() {
                let conversion = try RowConversion(from: .f32, to: format, columns: row.count)
                let result = convert(bytes(row), conversion)
                #expect(result.failedRow == nil, "\(format) row \(number)")
                #expect(result.bytes == expected[number], "\(format) row \(number)")
            }
        }
    }

    @Test func `several rows are converted as each alone, and a format to itself is a copy`() throws {
        let golden = try Golden()
        let columns = golden.rows[0].count
        for (format, expected) in golden.quantized {
            let conversion = try RowConversion(from: .f32, to: format, columns: columns)
            #expect(convert(golden.rows.flatMap(bytes), conversion).bytes == expected.flatMap { $0 }, "\(format)")
            let copy = try RowConversion(from: format, to: format, columns: columns)
            #expect(convert(expected.flatMap { $0 }, copy).bytes == expected.flatMap { $0 }, "\(format)")
        }
    }

    @Test func `widening to F32 and narrowing again changes no F16 or BF16 number`() throws {
        for format in [WeightFormat.f16, .bf16] {
            // Every finite bit pattern.
            let patterns = (0...UInt16.max).filter {
                format == .f16 ? $0 & 0x7C00 != 0x7C00 : $0 & 0x7F80 != 0x7F80
            }
            let row = patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
            let wide = convert(row, try RowConversion(from: format, to: .f32, columns: patterns.count))
            let narrow = convert(wide.bytes, try RowConversion(from: .f32, to: format, columns: patterns.count))
            #expect(wide.failedRow == nil && narrow.failedRow == nil && narrow.bytes == row, "\(format)")
        }
    }

    @Test func `a number that is not finite or does not fit names its row`() throws {
        for format in WeightFormat.allCases where format != .f32 {
            let conversion = try RowConversion(from: .f32, to: format, columns: 512)
            for bad in [Float.nan, .infinity, -.infinity] {
                var rows = [Float](repeating: 0.5, count: 3 * 512)
                rows[1 * 512 + 77] = bad
                #expect(convert(bytes(rows), conversion).failedRow == 1, "\(format) \(bad)")
            }
            var large = [Float](repeating: 0.5, count: 512)
            large[300] = -3e38
            // The greatest finite scale of half precision is 65504; BF16 reaches as far as F32.
            #expect(convert(bytes(large), conversion).failedRow == (format == .bf16 ? nil : 0), "\(format)")
        }
    }

    @Test func `rows that are no whole number of blocks are refused`() {
        #expect(throws: KernelsError.self) { try RowConversion(from: .f32, to: .q4K, columns: 128) }
        #expect(throws: KernelsError.self) { try RowConversion(from: .q8x0, to: .f32, columns: 48) }
        #expect(throws: KernelsError.self) { try QuantizedRow(format: .q6K, columns: 128) }
        #expect(throws: KernelsError.self) { try QuantizedRow(format: .f16, columns: 256) }
    }

    @Test(arguments: WeightFormat.allCases.filter(\.isQuantized))
    func `a row put together from its parts stands for the numbers that the parts say`(format: WeightFormat) throws {
        let seed: UInt64 = 20_241_124
        var random = SeededGenerator(seed: seed)
        let columns = 768
        var row = try QuantizedRow(format: format, columns: columns)
        let top = UInt8(1 << row.valueBitCount - 1)
        let subTop: UInt8 = format == .q2K ? 15 : format == .q6K ? 255 : 63
        for index in row.values.indices { row.values[index] = UInt8.random(in: 0...top, using: &random) }
        for index in row.subScales.indices {
            row.subScales[index] = UInt8.random(in: 0...subTop, using: &random)
            row.subMinimums[index] = UInt8.random(in: 0...min(subTop, 63), using: &random)
        }
        for index in row.scales.indices {
            row.scales[index] = Float16.random(in: -1...1, using: &random)
            row.minimums[index] = Float16.random(in: -1...1, using: &random)
        }
        var bytes = [UInt8](repeating: 0xA5, count: try format.rowByteCount(columns: columns))
        unsafe bytes.withUnsafeMutableBytes { unsafe row.encode(into: $0) }
        let values = MatrixRows(rows: 1, columns: columns)
        unsafe format.dequantize(row: bytes.span.bytes, into: values.view)
        let expected = (0..<columns).map { Self.weight($0, of: row).bitPattern }
        #expect(values.bits(0) == expected, "seed \(seed)")
    }

    /// A weight by the formulas of ggml's `ggml-common.h`.
    private static func weight(_ index: Int, of row: QuantizedRow) -> Float {
        let block = index / row.format.blockSize
        let sub = index / row.subBlockSize
        let (scale, minimum) = (Float(row.scales[block]), Float(row.minimums[block]))
        let value = Float(row.values[index])
        let (subScale, subMinimum) = (Float(row.subScales[sub]), Float(row.subMinimums[sub]))
        return switch row.format {
        case .q4x0: scale * (value - 8)
        case .q5x0: scale * (value - 16)
        case .q8x0: scale * (value - 128)
        case .q4x1, .q5x1: scale * value + minimum
        case .q2K, .q4K, .q5K: scale * subScale * value - minimum * subMinimum
        case .q3K: scale * (subScale - 32) * (value - 4)
        case .q6K: scale * Float(Int8(bitPattern: row.subScales[sub])) * (value - 32)
        default: .nan
        }
    }
}
