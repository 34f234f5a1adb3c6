import CHost

/// The floating-point environment of the calling thread.
public enum FloatingPointControl {
    /// Whether the calling thread turns subnormal results or inputs into zeros, which would change results.
    public static var flushesSubnormals: Bool { chost_fp_flushes_subnormals(chost_fp_control()) != 0 }

    /// Sets IEEE arithmetic for the calling thread: subnormals kept, round to nearest even, no traps.
    public static func useIEEE() { chost_set_fp_control(chost_fp_control_ieee()) }
}
