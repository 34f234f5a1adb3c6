import Host
import Synchronization

/// A tensor's rows in steps that a thread takes at a time: what is read, packed and checked while it is in the caches.
struct SourceSteps {
    private let rowCount: Int
    private let rowsPerStep: Int

    /// About this many bytes of the checkpoint per step, in whole panels of 16 rows.
    private static let byteCount = 1 << 20
    private static let panelRowCount = 16

    init(_ view: TensorView) {
        rowCount = view.rows
        let rowByteCount = max(1, view.byteCount / max(1, view.rows))
        rowsPerStep = max(1, Self.byteCount / rowByteCount / Self.panelRowCount) * Self.panelRowCount
    }

    var count: Int { (rowCount + rowsPerStep - 1) / rowsPerStep }

    subscript(_ step: Int) -> Range<Int> { step * rowsPerStep..<min(rowCount, (step + 1) * rowsPerStep) }
}

/// Names the bytes that a part was packed from: two hexadecimal SHA-256.
public struct SourceDigest: Sendable, Hashable {
    /// Of all weights: every changed byte of them changes it.
    let content: String
    /// Of the files' identities (device, inode, size, modification time), or of the hashes of what was fetched: while it
    /// is the same, so is the content.
    let state: String
}

extension PackedPlan {
    /// Says whether the files are those of an earlier digest without reading them.
    func sourceState() -> String {
        var hash = ContentHash()
        hash.update("phalanx source state 1")
        for view in views {
            for slice in view.slices {
                hash.update(fetched?.contentName(of: slice) ?? "\(slice.file.identity.key) \(slice.range)")
            }
        }
        return hash.hexadecimal()
    }

    /// Reads all weights of the part and names them, with all threads of the pool.
    func sourceContent(pool: ComputePool) -> String {
        var checksums: [[UInt32]] = []
        for view in views {
            let steps = SourceSteps(view)
            let sums = Mutex([UInt32](repeating: 0, count: steps.count))
            pool.run(steps.count) { step in
                let checksum = view.checksum(rows: steps[step])
                sums.withLock { $0[step] = checksum }
                view.adviseDontNeed(rows: steps[step])
            }
            checksums.append(sums.withLock { $0 })
            view.adviseDontNeed()
        }
        return sourceContent(checksums)
    }

    /// The name of the content from the checksums of each view's steps.
    func sourceContent(_ checksums: [[UInt32]]) -> String {
        var hash = ContentHash()
        hash.update("phalanx source content 1")
        for (view, sums) in zip(views, checksums) {
            hash.update("\(view.role) \(view.slices.map { "\($0.type.name) \($0.rows) \($0.columns)" })")
            for sum in sums { hash.update((0..<4).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) }) }
        }
        return hash.hexadecimal()
    }
}

extension TensorView {
    /// The pieces of the slices that make up some rows.
    func slices(of rows: Range<Int>) -> [TensorSlice] {
        var first = 0
        var pieces: [TensorSlice] = []
        for slice in slices {
            let wanted = rows.clamped(to: first..<first + slice.rows)
            if !wanted.isEmpty { pieces.append(slice.rows(wanted.lowerBound - first..<wanted.upperBound - first)) }
            first += slice.rows
        }
        return pieces
    }

    /// A checksum of the bytes of some rows.
    func checksum(rows: Range<Int>) -> UInt32 {
        var sums: [UInt32] = []
        for slice in slices(of: rows) { sums += slice.blockChecksums() }
        return CRC32C.checksum(of: sums)
    }

    /// Lets the kernel drop the pages of some rows, and those just before, which are read again if need be: where a
    /// page is missing, Linux maps all of the aligned 64 KiB around it that it has.
    func adviseDontNeed(rows: Range<Int>) {
        let faultAroundByteCount = 64 << 10
        for slice in slices(of: rows) {
            slice.file.adviseDontNeed(slice.range.lowerBound - faultAroundByteCount..<slice.range.upperBound)
        }
    }
}

extension TensorSlice {
    /// The bytes of all rows. Valid while the slice or its file is alive.
    func bytesInFile() -> UnsafeRawBufferPointer {
        guard let bytes = try? unsafe unsafeBytes() else { preconditionFailure("a slice lies within its file") }
        return unsafe bytes
    }

    fileprivate func blockChecksums() -> [UInt32] {
        // The slice keeps its file, and with it the bytes.
        withExtendedLifetime(self) { unsafe CRC32C.checksums(ofBlocksIn: bytesInFile()) }
    }
}
