/// Whether this machine's kernels compute what the scalar ones, which are the definition, do.
///
/// A processor, a hypervisor or a build at fault shows here, before it spoils an answer.
public enum KernelCheck {
    /// Once per process: switching instruction sets is for all threads.
    private static let outcome = Result { try compareAll(ISA.current) }

    /// Compares products with weights of every format and what decoder layers do beside them, on seeded numbers of small
    /// shapes that have tails. It takes milliseconds; later calls return what the first one found.
    ///
    /// - Throws: `KernelsError` that names the kernel, the instruction set and the cure.
    public static func run() throws { try outcome.get() }

    private static func compareAll(_ isa: ISA) throws {
        for format in WeightFormat.allCases {
            let product = try CheckedProduct(format)
            try compare("products with \(format) weights", isa) { try product.bits($0) }
        }
        try compare("norm", isa, used { norm() })
        try compare("gate", isa, used { gate() })
        try compare("rotary embedding", isa, used { rotation() })
    }

    /// Computes something with the scalar kernels and with others, and compares the bits.
    package static func compare(
        _ kernel: String, _ isa: ISA, _ compute: (ISA) throws -> [UInt32]
    ) throws {
        let (expected, found) = (try compute(.scalar), try compute(isa))
        guard expected != found else { return }
        let wrongCount = zip(expected, found).count { $0 != $1 }
        throw KernelsError(
            "the self-test failed: the kernel for \(kernel) gives \(wrongCount) wrong numbers of \(expected.count) with "
                + "the instruction set \(isa) on this machine. Its processor, its hypervisor or this build is at fault; "
                + "with PHALANX_ISA=scalar it computes rightly, but slowly")
    }

    /// Kernels that take no instruction set use the process's.
    private static func used(_ compute: @escaping () -> [UInt32]) -> (ISA) throws -> [UInt32] {
        return { isa in
            let before = ISA.current
            try isa.use()
            let bits = compute()
            try before.use()
            return bits
        }
    }

    // MARK: What is computed

    /// No multiple of any vector's length.
    private static let columnCount = 83

    private static func norm() -> [UInt32] {
        let x = CheckedRows(3, columnCount, seed: 1), out = CheckedRows(3, columnCount)
        LayerKernels.rmsNorm(x.view, weight: CheckedRows(1, columnCount, seed: 2).view, epsilon: 1e-5, into: out.view)
        LayerKernels.add(x.view, to: out.view)
        return out.bits
    }

    private static func gate() -> [UInt32] {
        let out = CheckedRows(3, columnCount)
        LayerKernels.siluGate(
            CheckedRows(3, columnCount, seed: 3).view, up: CheckedRows(3, columnCount, seed: 4).view, into: out.view)
        return out.bits
    }

    private static func rotation() -> [UInt32] {
        let (headCount, headSize) = (2, 42)
        let cosine = CheckedRows(1, headSize / 2), sine = CheckedRows(1, headSize / 2)
        let heads = CheckedRows(1, headCount * headSize, seed: 5)
        LayerKernels.ropeAngles(
            inverseFrequency: CheckedRows(1, headSize / 2, seed: 6).view, position: 4321, factor: 1.19,
            cosine: cosine.view, sine: sine.view)
        LayerKernels.ropeRotate(
            heads.view, headCount: headCount, headSize: headSize, cosine: cosine.view, sine: sine.view)
        return heads.bits + cosine.bits + sine.bits
    }
}

/// Rows of seeded numbers from -1 to 1, or of zeros.
private struct CheckedRows {
    let view: LayerRows

    init(_ rowCount: Int, _ columnCount: Int, seed: UInt64? = nil) {
        let memory = OwnedMemory(byteCount: rowCount * columnCount * MemoryLayout<Float>.stride)
        let numbers = unsafe memory.storage.bytes.bindMemory(to: Float.self)
        var state = seed ?? 0
        for index in 0..<rowCount * columnCount {
            // The generator of D. Knuth's MMIX.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            unsafe numbers.initializeElement(
                at: index, to: seed == nil ? 0 : Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31)
        }
        view = unsafe LayerRows(
            start: numbers.baseAddress!, owner: memory, rowCount: rowCount, columnCount: columnCount,
            stride: columnCount)
    }

    var bits: [UInt32] {
        (0..<view.rowCount).flatMap { row in (0..<view.columnCount).map { view[row, $0].bitPattern } }
    }
}

/// A matrix of one format and rows to multiply it with.
private struct CheckedProduct {
    private let matrix: PackedMatrix
    private let input: CheckedRows

    /// More than a panel and less than two; every format has whole blocks in so many columns.
    private static let (rowCount, columnCount, inputRowCount) = (19, 512, 5)

    init(_ format: WeightFormat) throws {
        let weights = CheckedRows(Self.rowCount, Self.columnCount, seed: 7)
        let conversion = try RowConversion(from: .f32, to: format, columns: Self.columnCount)
        let bytes = OwnedMemory(byteCount: Self.rowCount * conversion.targetByteCount)
        for row in 0..<Self.rowCount {
            let target = unsafe UnsafeMutableRawBufferPointer(
                rebasing: bytes.storage.bytes[row * conversion.targetByteCount..<(row + 1) * conversion.targetByteCount]
            )
            let failed = unsafe conversion.convert(UnsafeRawBufferPointer(weights.view.unsafeRow(row)), into: target)
            precondition(failed == nil, "numbers up to 1 have every format")
        }
        matrix = try unsafe PackedMatrix(
            format: format, columns: Self.columnCount,
            sources: [MatrixSource(rows: Self.rowCount, bytes: UnsafeRawBufferPointer(bytes.storage.bytes))])
        input = CheckedRows(Self.inputRowCount, Self.columnCount, seed: 8)
    }

    func bits(_ isa: ISA) throws -> [UInt32] {
        let buffer = try ActivationBuffer(
            layout: matrix.activationLayout, columns: matrix.columns, capacity: Self.inputRowCount)
        buffer.fill(0..<Self.inputRowCount, from: input.view, isa: isa)
        let output = CheckedRows(Self.inputRowCount, Self.rowCount)
        matrix.multiply(
            buffer, rowCount: Self.inputRowCount, panels: 0..<matrix.panelCount, into: output.view, isa: isa)
        return output.bits
    }
}
