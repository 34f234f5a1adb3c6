import Foundation
import Kernels
import Testing

/// Attention over pages against a plain computation, and against itself in other pieces.
@Suite(.serialized)
struct AttentionKernelTests {
    /// One head's keys and values of some positions, in pages.
    /// Safe to use: every access goes through the kernel or a checked view.
    @safe private final class Cache {
        let kernel: AttentionKernel
        let keys: LayerCase
        let values: LayerCase
        let pages: UnsafeMutableRawBufferPointer
        let table: [UInt32]

        init(
            format: AttentionPageFormat, headSize: Int, groupCount: Int, window: Int, positionCount: Int,
            random: inout MatrixRandom
        ) {
            let pageCount = (positionCount + 63) / 64
            let layout = AttentionPageLayout(format: format, layerCount: 2, headCount: 3, headSize: headSize)
            kernel = AttentionKernel(layout: layout, groupCount: groupCount, scale: 0.2, window: window)
            keys = LayerCase(rowCount: positionCount, columnCount: headSize) { _, _ in
                Float.random(in: -2...2, using: &random)
            }
            values = LayerCase(rowCount: positionCount, columnCount: headSize) { _, _ in
                Float.random(in: -1...1, using: &random)
            }
            unsafe pages = .allocate(byteCount: pageCount * layout.pageByteCount, alignment: 64)
            // What was never written must not matter.
            unsafe pages.initializeMemory(as: UInt8.self, repeating: 0x7b)
            table = (0..<UInt32(pageCount)).reversed()
            for position in 0..<positionCount {
                // Pages, keys and values live as long as this object.
                guard let start = unsafe pages.baseAddress, let key = unsafe keys.view.unsafeRow(position).baseAddress,
                    let value = unsafe values.view.unsafeRow(position).baseAddress
                else { continue }
                unsafe kernel.store(
                    key: key, value: value, pages: start, page: Int(table[position / 64]), layer: 1, head: 2,
                    position: position)
            }
        }

        deinit { unsafe pages.deallocate() }

        func attend(_ query: LayerRows, firstPosition: Int) -> LayerCase {
            let out = LayerCase(rowCount: query.rowCount, columnCount: query.columnCount) { _, _ in .nan }
            let count = kernel.scratchCount(rowCount: query.rowCount)
            let scratch = LayerCase(rowCount: 1, columnCount: count) { _, _ in .nan }
            unsafe table.withUnsafeBufferPointer { table in
                guard let start = unsafe pages.baseAddress, let entries = table.baseAddress,
                    let memory = unsafe scratch.view.unsafeRow(0).baseAddress
                else { return }
                unsafe kernel.attend(
                    query: query, out: out.view, pages: UnsafeRawPointer(start), pageTable: entries, layer: 1, head: 2,
                    firstPosition: firstPosition, scratch: memory)
            }
            return out
        }

        /// The softmax written down, in double precision, of one query head at one position.
        func plain(_ query: [Float], position: Int) -> [Double] {
            let first = kernel.window > 0 ? max(0, position - kernel.window + 1) : 0
            let scores = (first...position).map { key in
                query.indices.reduce(0.0) { $0 + Double(query[$1]) * Double(keys.view[key, $1]) } * Double(kernel.scale)
            }
            let largest = scores.max() ?? 0
            let weights = scores.map { Foundation.exp($0 - largest) }
            let sum = weights.reduce(0, +)
            return query.indices.map { column in
                zip(first...position, weights).reduce(0.0) { $0 + $1.1 * Double(values.view[$1.0, column]) } / sum
            }
        }
    }

    @Test func `attention is the softmax over what a row sees, in any pieces, on any instruction set`() throws {
        let before = ISA.current
        let seed = MatrixRandom.seed()
        var random = MatrixRandom(seed: seed)
        for round in 0..<60 {
            let headSize = [20, 32, 48, 64, 80, 96, 128][Int(random.next() % 7)]
            let groupCount = 1 + Int(random.next() % 4)
            let window = random.next() % 3 == 0 ? 1 + Int(random.next() % 200) : 0
            let format: AttentionPageFormat = random.next() % 2 == 0 ? .f16 : .f32
            let rowCount = 1 + Int(random.next() % 20)
            let first = Int(random.next() % 1200)
            let cache = Cache(
                format: format, headSize: headSize, groupCount: groupCount, window: window,
                positionCount: first + rowCount, random: &random)
            let query = LayerCase(rowCount: rowCount, columnCount: groupCount * headSize) { _, _ in
                Float.random(in: -2...2, using: &random)
            }
            let note: Comment = "seed \(seed), round \(round)"
            try ISA.scalar.use()
            let out = cache.attend(query.view, firstPosition: first)
            for isa in ISA.allCases where isa.isAvailable {
                try isa.use()
                #expect(cache.attend(query.view, firstPosition: first).bits == out.bits, note)
                for row in 0..<rowCount {
                    let alone = cache.attend(query.view.rows(row..<row + 1), firstPosition: first + row)
                    #expect((0..<out.columnCount).allSatisfy { alone.view[0, $0] == out.view[row, $0] }, note)
                }
            }
            let row = rowCount - 1
            for head in 0..<groupCount {
                let columns = head * headSize..<(head + 1) * headSize
                let exact = cache.plain(columns.map { query.view[row, $0] }, position: first + row)
                let limit = format == .f32 ? 3e-6 : 3e-3
                for (column, number) in zip(columns, exact) {
                    #expect(abs(Double(out.view[row, column]) - number) < limit, note)
                }
            }
        }
        try before.use()
    }

    @Test func `half precision is rounded to nearest even`() throws {
        let before = ISA.current
        var random = MatrixRandom(seed: 8)
        let layout = AttentionPageLayout(format: .f16, layerCount: 1, headCount: 1, headSize: 20)
        let kernel = AttentionKernel(layout: layout, groupCount: 1, scale: 1, window: 0)
        #expect(layout.pageByteCount == 2 * 64 * 20 * 2)
        let page = UnsafeMutableRawBufferPointer.allocate(byteCount: layout.pageByteCount, alignment: 64)
        defer { unsafe page.deallocate() }
        for isa in ISA.allCases where isa.isAvailable {
            try isa.use()
            for _ in 0..<3000 {
                // Exponents around half precision's, with ties and subnormals, and the extremes of single precision.
                let numbers = LayerCase(rowCount: 2, columnCount: 20) { _, _ in
                    let bits = UInt32(truncatingIfNeeded: random.next())
                    switch random.next() % 4 {
                    case 0: return Float(bitPattern: (bits & 0x8000_1000) | (bits >> 3 & 0x0fff_e000) | 0x3000_0000)
                    case 1: return Float(Int32(bitPattern: bits) >> 14) * 0x1p-26
                    case 2: return Float.random(in: -70000...70000, using: &random)
                    default:
                        let number = Float(bitPattern: bits)
                        return number.isNaN ? -0.0 : number
                    }
                }
                guard let start = page.baseAddress, let key = unsafe numbers.view.unsafeRow(0).baseAddress,
                    let value = unsafe numbers.view.unsafeRow(1).baseAddress
                else { return }
                unsafe kernel.store(key: key, value: value, pages: start, page: 0, layer: 0, head: 0, position: 9)
                for row in 0..<2 {
                    for column in 0..<20 {
                        let number = numbers.view[row, column]
                        let stored = unsafe start.load(
                            fromByteOffset: (row * 64 * 20 + 9 * 20 + column) * 2, as: UInt16.self)
                        #expect(stored == Float16(number).bitPattern, "\(number)")
                    }
                }
            }
        }
        try before.use()
    }
}
