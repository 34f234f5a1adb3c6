import CKernels

/// What a decoder layer does to rows beside matrix products. Shapes are checked; the results are the same on every
/// instruction set (see `phalanx_layer.h`, which defines them).
public enum LayerKernels {
    /// `out[i] = x[i] / rms(x) * weight[i]` for each row; `out` may be `x`. `weight` is one row.
    public static func rmsNorm(_ x: LayerRows, weight: LayerRows, epsilon: Float, into out: LayerRows) {
        precondition(out.rowCount == x.rowCount && out.columnCount == x.columnCount, "norm keeps the shape")
        precondition(weight.rowCount == 1 && weight.columnCount == x.columnCount, "one weight per column")
        for row in 0..<x.rowCount {
            unsafe phalanx_rms_norm(
                out.unsafeRow(row).baseAddress, x.unsafeRow(row).baseAddress, weight.unsafeRow(0).baseAddress,
                x.columnCount, epsilon)
        }
    }

    /// `x += y`, row by row.
    public static func add(_ y: LayerRows, to x: LayerRows) {
        precondition(y.rowCount == x.rowCount && y.columnCount == x.columnCount, "a sum has one shape")
        for row in 0..<x.rowCount {
            unsafe phalanx_add(x.unsafeRow(row).baseAddress, y.unsafeRow(row).baseAddress, x.columnCount)
        }
    }

    /// `out = silu(gate) * up`; `out` may be `gate` or `up`.
    public static func siluGate(_ gate: LayerRows, up: LayerRows, into out: LayerRows) {
        precondition(gate.rowCount == up.rowCount && gate.columnCount == up.columnCount, "gate and up have one shape")
        precondition(gate.rowCount == out.rowCount && gate.columnCount == out.columnCount, "the gate keeps the shape")
        for row in 0..<gate.rowCount {
            unsafe phalanx_silu_gate(
                out.unsafeRow(row).baseAddress, gate.unsafeRow(row).baseAddress, up.unsafeRow(row).baseAddress,
                gate.columnCount)
        }
    }

    /// The sines and cosines of one position, times `factor`: `angle[i] = inverseFrequency[i] * Float(position)`.
    ///
    /// All three are single rows of one length.
    public static func ropeAngles(
        inverseFrequency: LayerRows, position: Int, factor: Float, cosine: LayerRows, sine: LayerRows
    ) {
        let count = inverseFrequency.columnCount
        precondition(cosine.columnCount == count && sine.columnCount == count, "one angle per frequency")
        unsafe phalanx_rope_angles(
            cosine.unsafeRow(0).baseAddress, sine.unsafeRow(0).baseAddress,
            inverseFrequency.unsafeRow(0).baseAddress, count, Int64(position), factor)
    }

    /// Rotates the first `2 * cosine.columnCount` numbers of each head in the row `heads`, which holds whole heads.
    public static func ropeRotate(_ heads: LayerRows, headCount: Int, headSize: Int, cosine: LayerRows, sine: LayerRows)
    {
        let halfCount = cosine.columnCount
        precondition(sine.columnCount == halfCount && 2 * halfCount <= headSize, "rotated numbers lie in the head")
        precondition(heads.rowCount == 1 && heads.columnCount == headCount * headSize, "a row of whole heads")
        unsafe phalanx_rope_rotate(
            heads.unsafeRow(0).baseAddress, cosine.unsafeRow(0).baseAddress, sine.unsafeRow(0).baseAddress, halfCount,
            headCount, headSize)
    }
}
