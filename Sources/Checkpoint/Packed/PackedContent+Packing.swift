public import Host
import Kernels
import Synchronization

extension PackedContent {
    /// Packs the part from the checkpoint, with all threads of the pool.
    ///
    /// The checkpoint's pages are let go of as they are used, so that little more than the packed bytes is in memory.
    ///
    /// - Parameter progress: called with the bytes of the part that are done; throwing from it stops the packing.
    /// - Returns: the name of what was packed, for the cache.
    /// - Throws: `CheckpointError` naming the tensor, and what `progress` throws.
    public func pack(
        pool: ComputePool, progress: (_ doneByteCount: Int) throws -> Void = { _ in }
    ) throws -> SourceDigest {
        try plan.checkFetched()
        let state = plan.sourceState()
        var checksums: [[UInt32]] = []
        for (section, view) in zip(plan.sections, plan.views) {
            switch section.layout {
            case .panels: checksums.append(try packPanels(section, view, pool))
            case .rows: checksums.append(try copyRows(section, view, pool))
            case .floats: checksums.append(try copyFloats(section, view))
            }
            view.adviseDontNeed()
            try progress(section.end)
        }
        return SourceDigest(content: plan.sourceContent(checksums), state: state)
    }

    private func packPanels(_ section: PackedSection, _ view: TensorView, _ pool: ComputePool) throws -> [UInt32] {
        let steps = SourceSteps(view)
        let sums = Mutex([UInt32](repeating: 0, count: steps.count))
        do {
            // The view keeps the mapped files, and with them the sources, during the call.
            try withExtendedLifetime(view) {
                let sources = view.slices.map { slice in
                    unsafe MatrixSource(rows: slice.rows, bytes: slice.bytesInFile())
                }
                let rowCount = PackedMatrix.panelRowCount
                _ = try PackedMatrix(
                    format: section.format, columns: section.columns, sources: sources, storage: storage(section)
                ) { _, packPanels in
                    pool.run(steps.count) { step in
                        let rows = steps[step]
                        packPanels(rows.lowerBound / rowCount..<(rows.upperBound + rowCount - 1) / rowCount)
                        let checksum = view.checksum(rows: rows)
                        sums.withLock { $0[step] = checksum }
                        view.adviseDontNeed(rows: rows)
                    }
                }
            }
        } catch let error as KernelsError {
            throw CheckpointError.unsupported(plan.checkpointPath, "tensor \(quoted(view.name)): \(error.message)")
        }
        return sums.withLock { $0 }
    }

    private func copyRows(_ section: PackedSection, _ view: TensorView, _ pool: ComputePool) throws -> [UInt32] {
        guard view.byteCount == section.byteCount else {
            throw CheckpointError.inconsistent(
                plan.checkpointPath, "tensor \(quoted(view.name)) does not have the bytes of its shape")
        }
        let steps = SourceSteps(view)
        let sums = Mutex([UInt32](repeating: 0, count: steps.count))
        let rowByteCount = section.byteCount / section.rows
        // Steps write disjoint rows of the section.
        let target = storage(section)
        pool.run(steps.count) { step in
            let rows = steps[step]
            var offset = rows.lowerBound * rowByteCount
            for slice in view.slices(of: rows) {
                let end = offset + slice.byteCount
                // The piece has the bytes of its rows, which lie in the section; the view keeps its file.
                unsafe UnsafeMutableRawBufferPointer(rebasing: target.bytes[offset..<end])
                    .copyMemory(from: slice.bytesInFile())
                offset = end
            }
            let checksum = view.checksum(rows: rows)
            sums.withLock { $0[step] = checksum }
            view.adviseDontNeed(rows: rows)
        }
        return sums.withLock { $0 }
    }

    private func copyFloats(_ section: PackedSection, _ view: TensorView) throws -> [UInt32] {
        let numbers = try view.floats()
        let row = vector(section.tensor)
        for (column, number) in numbers.enumerated() { row[0, column] = number }
        let steps = SourceSteps(view)
        return (0..<steps.count).map { view.checksum(rows: steps[$0]) }
    }
}
