import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct WeightFormatTests {
    /// A row of random blocks and the numbers that gguf's reference makes of it.
    struct Golden {
        let format: WeightFormat
        let row: [UInt8]
        let values: [UInt32]

        static func all() throws -> [Golden] {
            let url = Repository.tests.appendingPathComponent("KernelsTests/Resources/dequantize.bin")
            let data = [UInt8](try Data(contentsOf: url))
            var position = 0
            func word() -> UInt32 {
                defer { position += 4 }
                return (0..<4).reduce(0) { $0 | UInt32(data[position + $1]) << ($1 * 8) }
            }
            return try (0..<word()).map { _ in
                let format = try #require(WeightFormat(ggmlType: word()))
                let columns = Int(word())
                let byteCount = try format.rowByteCount(columns: columns)
                let row = Array(data[position..<position + byteCount])
                position += byteCount
                return Golden(format: format, row: row, values: (0..<columns).map { _ in word() })
            }
        }
    }

    @Test func `every format dequantises as the reference does, bit for bit`() throws {
        let goldens = try Golden.all()
        #expect(Set(goldens.map(\.format)) == Set(WeightFormat.allCases))
        for golden in goldens {
            let values = MatrixRows(rows: 1, columns: golden.values.count)
            unsafe golden.format.dequantize(row: golden.row.span.bytes, into: values.view)
            #expect(values.bits(0) == golden.values, "\(golden.format)")
        }
    }

    @Test func `a packed row dequantises as its row in the file`() throws {
        for golden in try Golden.all() {
            let columns = golden.values.count
            let zero = [UInt8](repeating: 0, count: golden.row.count)
            for at in [0, 7, 15, 16] {
                var parts = [(rows: Int, weights: [UInt8])](repeating: (1, zero), count: 18)
                parts[at] = (1, golden.row)
                let matrix = try MatrixCase.pack(format: golden.format, columns: columns, stacked: parts)
                let values = MatrixRows(rows: 1, columns: columns)
                matrix.dequantize(row: at, into: values.view)
                #expect(values.bits(0) == golden.values, "\(golden.format) row \(at)")
                matrix.dequantize(row: 17, into: values.view)
                #expect(values.bits(0).allSatisfy { $0 & 0x7fff_ffff == 0 }, "\(golden.format) row 17")
            }
        }
    }

    @Test func `packed weights take no more bytes than the file's, up to alignment`() throws {
        for format in WeightFormat.allCases {
            for columns in [256, 768, 3072] {
                let file = try 16 * format.rowByteCount(columns: columns)
                let packed = try PackedMatrix.byteCount(format: format, rows: 16, columns: columns)
                #expect(packed >= file && packed < file + 64, "\(format)")
            }
        }
    }

    @Test func `impossible shapes are refused`() {
        for columns in [0, -256, 100, 1 << 40, Int.max - 31] {
            #expect(throws: KernelsError.self) { try WeightFormat.q4K.rowByteCount(columns: columns) }
            #expect(throws: KernelsError.self) {
                try ActivationBuffer(layout: .int8Blocks256, columns: columns, capacity: 1)
            }
        }
        #expect(throws: KernelsError.self) { try PackedMatrix.byteCount(format: .f32, rows: 0, columns: 32) }
        #expect(throws: KernelsError.self) { try PackedMatrix.byteCount(format: .f32, rows: Int.max, columns: 32) }
        #expect(throws: KernelsError.self) { try ActivationBuffer(layout: .float32, columns: 32, capacity: 0) }
        #expect(throws: KernelsError.self) {
            try MatrixCase.pack(format: .q8x0, columns: 32, stacked: [(2, [UInt8](repeating: 0, count: 67))])
        }
    }

    @Test func `storage that is too small or misaligned is refused`() throws {
        let owner = MatrixRows(rows: 1, columns: 1)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 64)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        for (offset, count, isRight) in [(0, 576, true), (0, 575, false), (64, 960, true), (32, 960, false)] {
            let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + count])
            let storage = unsafe MatrixStorage(bytes: bytes, owner: owner)
            let made = try? PackedMatrix(format: .q8x0, rows: 3, columns: 32, packed: storage)
            #expect((made != nil) == isRight, "offset \(offset), \(count) bytes")
        }
    }

    @Test func `names and numbers are ggml's`() {
        #expect(WeightFormat(rawValue: "Q4_K") == .q4K)
        #expect(WeightFormat(ggmlType: 30) == .bf16)
        #expect(WeightFormat(ggmlType: 15) == nil)
        for format in WeightFormat.allCases { #expect(WeightFormat(ggmlType: format.ggmlType) == format) }
    }
}
