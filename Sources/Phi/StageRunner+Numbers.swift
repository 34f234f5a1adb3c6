import Inference
import Kernels

extension StageRunner {
    /// Finds numbers that no right computation gives. O(rows x hidden size), which is little beside any layer.
    ///
    /// - Throws: `PhiError` that names the layers and the first sequence concerned.
    func checkNumbers(of step: Step) throws(PhiError) {
        let rows = hiddenRows
        var first = 0
        for slice in step.slices {
            defer { first += slice.rowCount }
            guard let row = (first..<first + slice.rowCount).first(where: { !Self.isFinite(rows, $0) }) else {
                continue
            }
            throw PhiError(
                code: .numbers,
                message: "layers \(model.layers) gave numbers that are not finite at position "
                    + "\(slice.firstPosition + row - first) of \(slice.sequence) (step \(step.number)): a weight is damaged, or "
                    + "this machine computes wrongly")
        }
    }

    private static func isFinite(_ rows: LayerRows, _ row: Int) -> Bool {
        // The view, whose memory the row is, lives as long as this call. No branch: it runs at memory speed.
        let largest = unsafe rows.unsafeRow(row).reduce(0 as UInt32) { max($0, $1.bitPattern & 0x7fff_ffff) }
        return largest < 0x7f80_0000
    }
}
