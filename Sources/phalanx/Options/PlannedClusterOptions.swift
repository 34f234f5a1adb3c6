import ArgumentParser
import Bench
import Checkpoint
import Cluster
import CoordinatorNode
import Inference

/// The model and the machines of a cluster that need not be there.
struct PlannedClusterOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String?

    @Option(help: "The shape of a published model instead of a file (see phalanx synth --help); needs --type.")
    var shape: ShapeArgument?

    @Option(help: "How the weights of --shape are stored, such as Q4_K_M.")
    var type: QuantizationArgument?

    @Option(name: .shortAndLong, help: "The JSON file of the workers and links (see phalanx plan --help).")
    var workers: String?

    @Option(
        name: [.customShort("c"), .long],
        help: "The most tokens, prompt and answer together (default: as trained, at most 16384).")
    var ctxSize: Int?

    @Option(help: "How keys and values are stored; q8_0 takes about half the memory of f16.")
    var kvType: KVChoice = .f16

    @Option(help: "The most prompt tokens per step.")
    var chunkSize = 256

    /// What is to be planned.
    struct Subject {
        let name: String
        let configuration: ModelConfiguration
        let footprint: ModelFootprint
        let contextLength: Int
    }

    /// Whether neither a model nor machines are named.
    var isEmpty: Bool { model == nil && shape == nil && workers == nil }

    /// Throws unless a model and machines are named.
    func check() throws {
        guard (model == nil) != (shape == nil) else {
            throw ValidationError("Give either --model FILE or --shape NAME --type TYPE.")
        }
        guard (shape == nil) == (type == nil) else { throw ValidationError("--shape and --type belong together.") }
        guard workers != nil else { throw ValidationError("Name the file of the workers: --workers cluster.json") }
        if let ctxSize, ctxSize < 1 { throw ValidationError("--ctx-size must be at least 1.") }
        guard (1...4096).contains(chunkSize) else { throw ValidationError("--chunk-size must be between 1 and 4096.") }
    }

    func specification() throws -> ClusterSpecification { try ClusterSpecification(path: workers ?? "") }

    func subject() throws -> Subject {
        let (name, configuration, footprint) = try described()
        let context = ctxSize ?? min(configuration.contextLength, CoordinatorConfiguration.defaultContextLimit)
        guard context <= configuration.contextLength else {
            throw CommandError(
                "a context of \(context) tokens was asked for, but \(name) was trained for "
                    + "\(configuration.contextLength); use --ctx-size \(configuration.contextLength) or less")
        }
        return Subject(name: name, configuration: configuration, footprint: footprint, contextLength: context)
    }

    private func described() throws -> (String, ModelConfiguration, ModelFootprint) {
        if let shape, let type {
            let configuration = shape.shape.configuration
            return (
                "\(shape.shape.rawValue) in \(type.mix.name)", configuration,
                ModelFootprint(configuration, mix: type.mix, kvType: kvType.type, chunkRowCount: chunkSize)
            )
        }
        let checkpoint = try Checkpoint.open(try DemoModel.resolve(model ?? ""))
        guard checkpoint.hasWeights else {
            throw CommandError("\(checkpoint.path) holds a vocabulary but no weights; name a whole checkpoint")
        }
        return (
            DemoModel.alias(for: model ?? ""), checkpoint.configuration,
            ModelFootprint(checkpoint, kvType: kvType.type, chunkRowCount: chunkSize)
        )
    }
}
