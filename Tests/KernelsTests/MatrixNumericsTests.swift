import Kernels
import Testing

/// Pins the bits of products, so that no change of the arithmetic goes by without a new `numericsVersion`.
@Suite struct MatrixNumericsTests {
    /// FNV-1a of a product's bits, for numerics version 1.
    static let expected: [WeightFormat: UInt64] = [
        .f32: 0x6d8b_8f12_db59_b020,
        .f16: 0xac61_b3cd_b28a_35bd,
        .bf16: 0x706a_1d46_d82b_2fab,
        .q8x0: 0xf393_91a4_3c6c_c0e0,
        .q4x0: 0x8d8d_5c75_bde4_3639,
        .q4x1: 0x4f96_10f4_0e2c_50e6,
        .q5x0: 0xb576_16ba_4fa0_0c35,
        .q5x1: 0x3d00_aa24_72ac_01a8,
        .q2K: 0x353c_61ee_b31c_a927,
        .q3K: 0x89bb_deb2_5de5_c5f7,
        .q4K: 0x6fd0_cf4a_ef7f_d57e,
        .q5K: 0x5386_5cf2_eb7c_1b12,
        .q6K: 0x2e6f_3f90_91d3_0bfd,
    ]

    @Test(arguments: WeightFormat.allCases)
    func `products have the bits of numerics version 1`(format: WeightFormat) throws {
        #expect(numericsVersion == 1)
        var random = MatrixRandom(seed: 1)
        let columns = 768, rows = 24, rowCount = 5
        // Weights and activations come from whole numbers, so that they are the same wherever this runs.
        var weights = random.bytes(rows * (try format.rowByteCount(columns: columns)))
        if format.blockSize == 1 { makeOrdinary(&weights, format) }
        for block in stride(from: 0, to: weights.count, by: format.blockByteCount) {
            for offset in format.scaleOffsets {
                weights[block + offset + 1] = weights[block + offset + 1] & 0x83 | 0x24
            }
        }
        let values = (0..<rowCount * columns).map { _ in
            Float(Int32(truncatingIfNeeded: random.next()) >> 8) / 4_194_304
        }
        let some = try MatrixCase(format: format, rows: rows, columns: columns, weights: weights, values: values)
        for isa in ISA.allCases.filter(\.isAvailable) {
            let bits = try some.product(0..<rowCount, isa: isa)
            #expect(bits.joined().allSatisfy { Float(bitPattern: $0).isFinite && $0 & 0x7fff_ffff != 0 })
            #expect(hash(bits) == Self.expected[format], "\(format) on \(isa)")
        }
    }

    /// Exponents of 2^-8 to 2^0 or so, whatever the other bits.
    private func makeOrdinary(_ weights: inout [UInt8], _ format: WeightFormat) {
        for start in stride(from: 0, to: weights.count, by: format.blockByteCount) {
            let last = start + format.blockByteCount - 1
            weights[last] = format == .f16 ? weights[last] & 0x9f | 0x20 : weights[last] & 0x83 | 0x3c
        }
    }

    private func hash(_ bits: [[UInt32]]) -> UInt64 {
        bits.joined().reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
