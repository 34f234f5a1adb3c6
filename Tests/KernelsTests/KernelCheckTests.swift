import Kernels
import Testing

@Suite struct KernelCheckTests {
    @Test func `this machine passes, and keeps its instruction set`() throws {
        let before = ISA.current
        try KernelCheck.run()
        #expect(ISA.current == before)
    }

    @Test func `a kernel that gives another bit is named with its instruction set and the cure`() throws {
        let error = #expect(throws: KernelsError.self) {
            try KernelCheck.compare("norm", .best) { isa in [1, 2, isa == .scalar ? 3 : 4] }
        }
        guard ISA.best != .scalar else { return }
        let text = error?.message ?? ""
        #expect(text.contains("kernel for norm gives 1 wrong numbers of 3"))
        #expect(text.contains("instruction set \(ISA.best)") && text.contains("PHALANX_ISA=scalar"))
    }
}
