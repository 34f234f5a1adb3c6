import ArgumentParser
import Checkpoint

/// A mixture of types on the command line: "Q4_K_M", "f16".
struct QuantizationArgument: ExpressibleByArgument {
    let mix: QuantizationMix

    init?(argument: String) {
        guard let mix = QuantizationMix(name: argument) else { return nil }
        self.mix = mix
    }

    static var allValueStrings: [String] { QuantizationMix.allCases.map(\.name) }

    var defaultValueDescription: String { mix.name }
}
