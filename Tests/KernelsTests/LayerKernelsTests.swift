import Foundation
import Kernels
import Testing

/// Layer kernels: each against a plain computation in double precision, and every instruction set against the scalar one.
@Suite(.serialized)
struct LayerKernelsTests {
    private static let columnCounts = [1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 120, 1023, 1024, 1041, 2600]

    @Test func `the norm divides by the root of the mean square`() throws {
        try compare { random, count in
            let x = LayerCase(rowCount: 2, columnCount: count) { _, _ in Float.random(in: -4...4, using: &random) }
            let weight = LayerCase(rowCount: 1, columnCount: count) { _, _ in Float.random(in: -2...2, using: &random) }
            let out = LayerCase(rowCount: 2, columnCount: count) { _, _ in .nan }
            LayerKernels.rmsNorm(x.view, weight: weight.view, epsilon: 1e-5, into: out.view)
            for row in 0..<2 {
                let squares = (0..<count).reduce(0.0) { $0 + Double(x.view[row, $1]) * Double(x.view[row, $1]) }
                let scale = 1 / (squares / Double(count) + 1e-5).squareRoot()
                for column in 0..<count {
                    let exact = Double(x.view[row, column]) * scale * Double(weight.view[0, column])
                    #expect(abs(Double(out.view[row, column]) - exact) <= 2e-6 * max(1, abs(exact)))
                }
            }
            return out.bits
        }
    }

    @Test func `the gate is silu times up`() throws {
        try compare { random, count in
            let gate = LayerCase(rowCount: 1, columnCount: count) { _, _ in Float.random(in: -120...120, using: &random)
            }
            let up = LayerCase(rowCount: 1, columnCount: count) { _, _ in Float.random(in: -3...3, using: &random) }
            let out = LayerCase(rowCount: 1, columnCount: count) { _, _ in .nan }
            LayerKernels.siluGate(gate.view, up: up.view, into: out.view)
            for column in 0..<count {
                let g = Double(gate.view[0, column])
                let exact = g / (1 + Foundation.exp(-g)) * Double(up.view[0, column])
                #expect(abs(Double(out.view[0, column]) - exact) <= 1e-6 * max(1e-30, abs(exact)) + 1e-37)
            }
            return out.bits
        }
    }

    @Test func `a sum adds`() throws {
        try compare { random, count in
            let x = LayerCase(rowCount: 1, columnCount: count) { _, _ in Float.random(in: -3...3, using: &random) }
            let y = LayerCase(rowCount: 1, columnCount: count) { _, _ in Float.random(in: -3...3, using: &random) }
            let sums = (0..<count).map { x.view[0, $0] + y.view[0, $0] }
            LayerKernels.add(y.view, to: x.view)
            #expect((0..<count).allSatisfy { x.view[0, $0] == sums[$0] })
            return x.bits
        }
    }

    @Test func `rotation turns pairs of halves and lets the rest pass`() throws {
        try compare { random, count in
            let half = count
            let headSize = 2 * half + count % 3
            let x = LayerCase(rowCount: 1, columnCount: 2 * headSize) { _, _ in Float.random(in: -3...3, using: &random)
            }
            let angles = LayerCase(rowCount: 1, columnCount: half) { _, _ in Float.random(in: 0...1, using: &random) }
            let cosine = LayerCase(rowCount: 1, columnCount: half) { _, _ in .nan }
            let sine = LayerCase(rowCount: 1, columnCount: half) { _, _ in .nan }
            LayerKernels.ropeAngles(
                inverseFrequency: angles.view, position: 777, factor: 1.25, cosine: cosine.view, sine: sine.view)
            let before = (0..<2 * headSize).map { Double(x.view[0, $0]) }
            LayerKernels.ropeRotate(x.view, headCount: 2, headSize: headSize, cosine: cosine.view, sine: sine.view)
            for head in 0..<2 {
                for column in 0..<headSize {
                    let index = column % half
                    let angle = Double(angles.view[0, index] * 777)
                    let first = before[head * headSize + index]
                    let second = before[head * headSize + index + half]
                    var exact = before[head * headSize + column]
                    if column < half {
                        exact = 1.25 * (first * cos(angle) - second * sin(angle))
                    } else if column < 2 * half {
                        exact = 1.25 * (second * cos(angle) + first * sin(angle))
                    }
                    #expect(abs(Double(x.view[0, head * headSize + column]) - exact) < 2e-6)
                }
            }
            return x.bits
        }
    }

    @Test func `reductions over the vocabulary keep to their segments`() throws {
        try compare { random, count in
            let x = LayerCase(rowCount: 1, columnCount: count) { _, _ in
                (Float.random(in: -20...20, using: &random) * 4).rounded() / 4
            }
            let row = unsafe UnsafeBufferPointer(x.view.unsafeRow(0))
            let largest = unsafe MathReductions.max(row)
            #expect(unsafe largest == row.max())
            #expect(unsafe MathReductions.argmax(row) == row.firstIndex(of: largest))
            let sum = unsafe MathReductions.expSum(row, shift: largest)
            let exact = unsafe row.reduce(0.0) { $0 + Foundation.exp(Double($1 - largest)) }
            #expect(abs(sum - exact) <= 1e-6 * exact)
            let stored = unsafe MathReductions.replaceByExponentials(x.view.unsafeRow(0), shift: largest)
            #expect(stored == sum)
            return x.bits + [UInt32(truncatingIfNeeded: sum.bitPattern), UInt32(sum.bitPattern >> 32)]
        }
    }

    /// Runs a case for all widths on all instruction sets: the same inputs must give the same bits.
    private func compare(_ body: (inout MatrixRandom, Int) throws -> [UInt32]) throws {
        let before = ISA.current
        let seed = MatrixRandom.seed()
        for count in Self.columnCounts {
            var expected: [UInt32]?
            for isa in ISA.allCases where isa.isAvailable {
                try isa.use()
                var random = MatrixRandom(seed: seed &+ UInt64(count))
                let bits = try body(&random, count)
                if let expected {
                    #expect(bits == expected, "\(isa), \(count) columns, seed \(seed)")
                } else {
                    expected = bits
                }
            }
        }
        try before.use()
    }
}
