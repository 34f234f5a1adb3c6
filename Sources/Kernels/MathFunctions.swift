import CKernels

/// Elementary functions that give the same bits on every machine; the C library's choose code per processor.
public enum MathFunctions {
    /// e to the power of `x`, within about 1 ulp.
    public static func exp(_ x: Float) -> Float { phalanx_exp(x) }

    /// The natural logarithm: NaN below zero, minus infinity at zero.
    public static func log(_ x: Float) -> Float { phalanx_log(x) }

    /// e to the power of `x` in double precision.
    public static func exp(_ x: Double) -> Double { phalanx_exp_double(x) }

    /// The natural logarithm in double precision.
    public static func log(_ x: Double) -> Double { phalanx_log_double(x) }

    /// Sine and cosine of an angle in radians, right in all bits but the last for angles up to 2^30.
    public static func sineAndCosine(_ angle: Float) -> (sine: Float, cosine: Float) {
        var sine: Float = 0
        var cosine: Float = 0
        // Both pointers are to locals and used during the call only.
        unsafe phalanx_sin_cos(angle, &sine, &cosine)
        return (sine, cosine)
    }
}
