internal import CKernels

/// An instruction set that kernels exist for.
///
/// Every kernel gives the same bits on all of them (the scalar code is the definition), so the choice changes speed
/// only, even in the middle of a computation.
public enum ISA: String, CaseIterable, Sendable, CustomStringConvertible {
    /// Plain C.
    case scalar
    /// AVX2 with FMA and F16C.
    case avx2
    /// AVX2 with the 256-bit integer dot products of AVX-VNNI.
    case avxVNNI = "avxvnni"
    /// AVX-512 (F, BW, VL, DQ) with VNNI.
    case avx512
    /// NEON of ARMv8.0.
    case neon
    /// NEON with integer dot products (dotprod).
    case neonDot = "neondot"
    /// NEON with integer dot and matrix products (dotprod and i8mm).
    case neonI8MM = "neoni8mm"

    /// The one in use: what `PHALANX_ISA` asks for, or else the fastest this machine has, until `use()` says otherwise.
    public static var current: ISA { ISA(phalanx_isa_current()) }

    /// The fastest one that this machine can run.
    public static var best: ISA { ISA(phalanx_isa_best()) }

    /// Whether this build has kernels for it and this machine can run them.
    public var isAvailable: Bool { phalanx_isa_available(code) }

    /// Checks the environment variable `PHALANX_ISA`; programs call it once at start.
    ///
    /// - Throws: `KernelsError` when the variable's value is unknown or not available on this machine.
    public static func checkEnvironment() throws(KernelsError) {
        // Programs that check do so before anything changes the environment.
        guard let value = unsafe phalanx_isa_environment() else { return }
        _ = try wanted(unsafe String(cString: value))
    }

    /// What a value of `PHALANX_ISA` asks for.
    package static func wanted(_ value: String) throws(KernelsError) -> ISA {
        var code = PHALANX_ISA_SCALAR
        guard unsafe phalanx_isa_wanted(value, &code) else {
            let usable = allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: ", ")
            throw KernelsError(
                "PHALANX_ISA=\(value) is unknown or not available on this machine; usable here: \(usable)")
        }
        return ISA(code)
    }

    /// Uses this one from now on, in all threads.
    ///
    /// - Throws: `KernelsError` when this machine cannot run it.
    public func use() throws(KernelsError) {
        guard phalanx_isa_use(code) else {
            throw KernelsError("the instruction set \(rawValue) is not available on this machine")
        }
    }

    public var description: String { rawValue }

    var code: phalanx_isa {
        switch self {
        case .scalar: PHALANX_ISA_SCALAR
        case .avx2: PHALANX_ISA_AVX2
        case .avxVNNI: PHALANX_ISA_AVX_VNNI
        case .avx512: PHALANX_ISA_AVX512
        case .neon: PHALANX_ISA_NEON
        case .neonDot: PHALANX_ISA_NEON_DOT
        case .neonI8MM: PHALANX_ISA_NEON_I8MM
        }
    }

    private init(_ code: phalanx_isa) {
        self = Self.allCases.first { $0.code == code } ?? .scalar
    }
}
