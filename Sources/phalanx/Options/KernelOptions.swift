public import ArgumentParser
import Bench
import Host
public import Kernels

extension ISA: ExpressibleByArgument {}

/// Weight formats on the command line: "Q4_K,Q6_K", or "all".
struct FormatListArgument: ExpressibleByArgument {
    let formats: [WeightFormat]

    static let allValueStrings = ["all"] + WeightFormat.allCases.map(\.rawValue)

    init?(argument: String) {
        if argument == "all" {
            formats = WeightFormat.allCases
            return
        }
        var formats: [WeightFormat] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let format = WeightFormat(rawValue: name.uppercased()) else { return nil }
            formats.append(format)
        }
        self.formats = formats
    }
}

/// Instruction sets on the command line: "avx2,avx512", or "all" for those of this machine.
struct ISAListArgument: ExpressibleByArgument {
    let isas: [ISA]

    static var usable: [ISA] { ISA.allCases.filter(\.isAvailable) }
    static var allValueStrings: [String] { ["all"] + usable.map(\.rawValue) }

    init?(argument: String) {
        if argument == "all" {
            isas = Self.usable
            return
        }
        var isas: [ISA] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let isa = ISA(rawValue: name.lowercased()), isa.isAvailable else { return nil }
            isas.append(isa)
        }
        self.isas = isas
    }
}

/// Which kernels to measure, with what weights.
struct KernelOptions: ParsableArguments {
    @Option(help: "Weight formats, such as Q4_K,Q6_K, or all.")
    var format: FormatListArgument?

    @Option(help: "Instruction sets, such as avx2,avx512, or all (default: what PHALANX_ISA says, or the fastest).")
    var isa: ISAListArgument?

    @Option(help: "Numbers per row of weights and activations.")
    var columns = 5120

    @Option(help: "Rows of weights.")
    var outputs = 5120

    @Option(name: .shortAndLong, help: "Compute threads (default: one per available processor).")
    var threads: Int?

    /// - Parameter formats: when the user names none.
    func plan(formats: [WeightFormat]) -> KernelBenchPlan {
        var plan = KernelBenchPlan()
        plan.formats = format?.formats ?? formats
        plan.isas = isa?.isas ?? [ISA.current]
        plan.columnCount = columns
        plan.outputCount = outputs
        plan.threadCount = threads ?? max(1, Machine.detect().usableCPUCount)
        return plan
    }
}
