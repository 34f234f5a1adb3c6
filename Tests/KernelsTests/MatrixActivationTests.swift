import Foundation
import Kernels
import Testing

@Suite struct MatrixActivationTests {
    /// The parts of a row of int8 blocks, taken from its bytes (see phalanx_matrix.h).
    struct Quantized {
        let values: [Int]
        let scales: [Float]
        let bytes: [UInt8]

        init(_ numbers: [Float], layout: ActivationLayout, isa: ISA) throws {
            let buffer = try ActivationBuffer(layout: layout, columns: numbers.count, capacity: 1)
            let source = MatrixRows(rows: 1, columns: numbers.count, values: numbers)
            buffer.fill(0..<1, from: source.view, isa: isa)
            bytes = buffer.bytes(ofRow: 0)
            let bytes = bytes
            values = bytes[0..<numbers.count].map { Int(Int8(bitPattern: $0)) }
            scales = (0..<numbers.count / layout.blockSize).map { block in
                let start = numbers.count + block * 4
                return Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << ($1 * 8) })
            }
        }
    }

    static let available = ISA.allCases.filter(\.isAvailable)
    static let layouts: [ActivationLayout] = [.int8Blocks32, .int8Blocks256]

    @Test func `all instruction sets quantise to the same bits`() throws {
        let seed = MatrixRandom.seed()
        print("seed \(seed)")
        var random = MatrixRandom(seed: seed)
        for layout in Self.layouts {
            for _ in 0..<40 {
                let magnitude = Float.random(in: -120...120, using: &random)
                var numbers = random.activations(768).map { $0 * exp2(magnitude) }
                for _ in 0..<3 {
                    numbers[Int(random.next() % 768)] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
                }
                let scalar = try Quantized(numbers, layout: layout, isa: .scalar)
                for isa in Self.available {
                    #expect(
                        try Quantized(numbers, layout: layout, isa: isa).bytes == scalar.bytes, "\(isa), seed \(seed)")
                }
            }
        }
    }

    @Test func `a value is within half a step of its number`() throws {
        var random = MatrixRandom(seed: 11)
        for layout in Self.layouts {
            let numbers = random.activations(1024)
            let row = try Quantized(numbers, layout: layout, isa: .scalar)
            for (index, number) in numbers.enumerated() {
                let scale = row.scales[index / layout.blockSize]
                #expect(abs(Float(row.values[index]) * scale - number) <= scale * 0.50001)
            }
            for block in 0..<numbers.count / layout.blockSize {
                let range = block * layout.blockSize..<(block + 1) * layout.blockSize
                let largest = numbers[range].map(abs).max() ?? 0
                #expect(row.scales[block] == largest / 127)
                #expect(row.values[range].map(abs).max() == 127)
            }
        }
    }

    @Test func `halves round to the even neighbour`() throws {
        var numbers = [Float](repeating: 0, count: 32)
        numbers[0] = 127
        for (index, half) in [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 3.5].enumerated() {
            numbers[index + 1] = Float(half)
        }
        for isa in Self.available {
            let row = try Quantized(numbers, layout: .int8Blocks32, isa: isa)
            #expect(Array(row.values[0..<9]) == [127, 0, 2, 2, 0, -2, -2, 126, 4])
            #expect(row.scales == [1])
        }
    }

    @Test func `zeros and magnitudes below the bound are zero`() throws {
        let bound = exp2(Float(-100))
        for isa in Self.available {
            for tiny in [0, -0.0, Float.leastNonzeroMagnitude, bound.nextDown, -bound.nextDown] {
                let row = try Quantized([Float](repeating: tiny, count: 256), layout: .int8Blocks256, isa: isa)
                #expect(row.bytes.allSatisfy { $0 == 0 }, "\(tiny)")
            }
            let row = try Quantized([Float](repeating: -bound, count: 256), layout: .int8Blocks256, isa: isa)
            #expect(row.values.allSatisfy { $0 == -127 })
            #expect(row.scales == [bound / 127])
            let largest = [Float](repeating: .greatestFiniteMagnitude, count: 32)
            #expect(try Quantized(largest, layout: .int8Blocks32, isa: isa).values.allSatisfy { $0 == 127 })
        }
    }

    @Test func `a block with an infinity or NaN poisons exactly its block`() throws {
        for isa in Self.available {
            for bad in [Float.infinity, -.infinity, .nan, -.nan, .signalingNaN] {
                var numbers = [Float](repeating: 1, count: 96)
                numbers[40] = bad
                let row = try Quantized(numbers, layout: .int8Blocks32, isa: isa)
                #expect(
                    row.scales.map(\.bitPattern) == [row.scales[0].bitPattern, 0x7fc0_0000, row.scales[0].bitPattern])
                #expect(row.values[32..<64].allSatisfy { $0 == 0 })
                #expect(row.values[0] == 127 && row.values[95] == 127)
            }
        }
    }

    @Test func `an unknown instruction set is an error that lists the usable ones`() throws {
        #expect(try ISA.wanted("") == ISA.best)
        #expect(try ISA.wanted("scalar") == .scalar)
        for isa in Self.available { #expect(try ISA.wanted(isa.rawValue) == isa) }
        let error = #expect(throws: KernelsError.self) { try ISA.wanted("avx1024") }
        #expect(error?.message.contains("avx1024") == true && error?.message.contains("scalar") == true)
    }
}
