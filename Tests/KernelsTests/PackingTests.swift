import CKernels
import Kernels
import Testing

/// The packer that works on four rows at a time, against the definition of the layout.
@Suite struct PackingTests {
    private let formats = (0..<UInt32(PHALANX_FORMAT_COUNT)).map { phalanx_format($0) }

    /// Packs one panel both ways, over memory that was full of something else.
    private func pack(
        _ format: phalanx_format, columns: Int, rows: [UnsafePointer<UInt8>?]
    ) -> (fast: [UInt8], plain: [UInt8]) {
        let byteCount = phalanx_panel_bytes(format, columns)
        var fast = [UInt8](repeating: 0xA5, count: byteCount)
        var plain = [UInt8](repeating: 0x5A, count: byteCount)
        unsafe phalanx_pack_panel(format, columns, rows, &fast)
        unsafe phalanx_pack_panel_plain(format, columns, rows, &plain)
        return (fast, plain)
    }

    @Test func `whole panels are packed as the definition says, whatever the bits`() {
        let seed = MatrixRandom.seed()
        var random = MatrixRandom(seed: seed)
        for format in formats {
            for columns in [1, 3, 4, 7, 8, 20, 32, 64, 96, 256, 512, 1280] {
                let rowByteCount = phalanx_row_bytes(format, columns)
                guard rowByteCount > 0 else { continue }
                // Rows of a file begin anywhere.
                for misalignment in [0, 1, 6] {
                    let bytes = random.bytes(misalignment + 16 * rowByteCount)
                    let (fast, plain) = unsafe bytes.withUnsafeBufferPointer { buffer in
                        let start = unsafe buffer.baseAddress.map { unsafe $0 + misalignment }
                        return unsafe pack(
                            format, columns: columns,
                            rows: (0..<16).map { row in unsafe start.map { unsafe $0 + row * rowByteCount } })
                    }
                    #expect(fast == plain, "format \(format.rawValue), \(columns) columns, seed \(seed)")
                }
            }
        }
    }

    @Test func `a panel that lacks rows is packed as the definition says`() {
        let seed = MatrixRandom.seed()
        var random = MatrixRandom(seed: seed)
        for format in formats {
            let rowByteCount = phalanx_row_bytes(format, 256)
            for rowCount in [1, 5, 15] {
                let bytes = random.bytes(rowCount * rowByteCount)
                let (fast, plain) = unsafe bytes.withUnsafeBufferPointer { buffer in
                    unsafe pack(
                        format, columns: 256,
                        rows: (0..<16).map { row in
                            row < rowCount ? unsafe buffer.baseAddress.map { unsafe $0 + row * rowByteCount } : nil
                        })
                }
                #expect(fast == plain, "format \(format.rawValue), \(rowCount) rows, seed \(seed)")
            }
        }
    }
}
