import CKernels

/// Reductions over a row as long as the vocabulary, in fixed segments merged in ascending order.
public enum MathReductions {
    /// The largest number of a non-empty row.
    public static func max(_ row: UnsafeBufferPointer<Float>) -> Float {
        precondition(!row.isEmpty, "a maximum of something")
        return unsafe phalanx_max(row.baseAddress, row.count)
    }

    /// The index of the largest number, the lowest of equals; 0 when there is nothing but NaN.
    public static func argmax(_ row: UnsafeBufferPointer<Float>) -> Int {
        precondition(!row.isEmpty, "a maximum of something")
        return unsafe phalanx_argmax(row.baseAddress, row.count)
    }

    /// The sum of `exp(row[i] - shift)`.
    public static func expSum(_ row: UnsafeBufferPointer<Float>, shift: Float) -> Double {
        unsafe phalanx_exp_sum(nil, row.baseAddress, row.count, shift)
    }

    /// Replaces each number by `exp(row[i] - shift)` and returns their sum.
    public static func replaceByExponentials(_ row: UnsafeMutableBufferPointer<Float>, shift: Float) -> Double {
        unsafe phalanx_exp_sum(row.baseAddress, row.baseAddress, row.count, shift)
    }
}
