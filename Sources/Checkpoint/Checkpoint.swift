import Foundation
import Host

/// A model on disk, in one view for both formats: configuration, tensors by role, tokenizer, template and card.
///
/// Opening reads headers and small files only; weights are mapped and touched when they are used.
public final class Checkpoint: Sendable {
    /// The formats that are read.
    public enum Format: String, Sendable, Hashable, Codable {
        case gguf
        case huggingFace
    }

    /// The GGUF file or the Hugging Face directory.
    public let path: String
    /// The format.
    public let format: Format
    /// The hyperparameters, validated.
    public let configuration: ModelConfiguration
    /// The name that the checkpoint gives itself, or else its file's or directory's.
    public let name: String
    /// The chat template (Jinja) that came with the checkpoint; nil when it has none.
    public let chatTemplate: String?
    /// The model card (Markdown): GGUF key `phalanx.model_card`, or `README.md` in the directory; nil without one.
    public let modelCard: String?
    /// The licence by its short name ("mit"): GGUF key `general.license`, or `license:` in the front matter of the card.
    public let license: String?
    /// Whether there are weights; a vocabulary-only GGUF file and a directory with only a tokenizer have none.
    public var hasWeights: Bool { !views.isEmpty }

    let source: Source
    /// What is here of the files; nil when they are whole.
    let fetched: FetchedModel?
    /// Every tensor that the graph needs, found and checked when the checkpoint was opened.
    private let views: [TensorRole: TensorView]

    /// Where the parts of the checkpoint come from.
    enum Source: Sendable {
        case gguf(GGUFTensors)
        case huggingFace(SafetensorsModel, URL)
    }

    private init(
        path: String, format: Format, configuration: ModelConfiguration, name: String, chatTemplate: String?,
        modelCard: String?, license: String?, source: Source, fetched: FetchedModel?
    ) throws(CheckpointError) {
        self.path = path
        self.format = format
        self.configuration = configuration
        self.name = name
        self.chatTemplate = chatTemplate
        self.modelCard = modelCard
        self.license = license
        self.source = source
        self.fetched = fetched
        views = try source.views(configuration, path: path)
    }

    /// Opens the checkpoint at `path`: a GGUF file (or a part of a split one), a Hugging Face directory, a
    /// `.safetensors` file in one, or a directory that holds a single GGUF model.
    ///
    /// - Throws: `CheckpointError` naming file, tensor or key, and the cure.
    public static func open(_ path: String) throws(CheckpointError) -> Checkpoint { try open(path, fetched: nil) }

    /// - Parameter fetched: what the files at `path` belong to, when they have holes.
    static func open(_ path: String, fetched: FetchedModel?) throws(CheckpointError) -> Checkpoint {
        switch try CheckpointLocation.find(path) {
        case .gguf(let file): return try open(GGUFFile(file: file), fetched)
        case .directory(let directory): return try open(huggingFace: directory, fetched)
        }
    }

    private static func open(_ named: GGUFFile, _ fetched: FetchedModel?) throws(CheckpointError) -> Checkpoint {
        let tensors = try GGUFTensors(named)
        // The first part of a split model has the metadata.
        let gguf = tensors.files.first ?? named
        let file = URL(fileURLWithPath: gguf.path)
        return try Checkpoint(
            path: named.path,
            format: .gguf,
            configuration: ModelConfiguration(gguf: gguf, tensors: tensors),
            name: gguf.string("general.name") ?? file.deletingPathExtension().lastPathComponent,
            chatTemplate: gguf.string("tokenizer.chat_template"),
            modelCard: gguf.string("phalanx.model_card"),
            license: gguf.string("general.license"),
            source: .gguf(tensors),
            fetched: fetched)
    }

    private static func open(
        huggingFace directory: URL, _ fetched: FetchedModel?
    ) throws(CheckpointError) -> Checkpoint {
        let card = try TextFile.text(
            directory.appendingPathComponent("README.md").path, limit: TextFile.configurationLimit)
        return try Checkpoint(
            path: directory.path,
            format: .huggingFace,
            configuration: ModelConfiguration(huggingFace: directory),
            name: directory.resolvingSymlinksInPath().lastPathComponent,
            chatTemplate: ChatTemplateFile.text(in: directory),
            modelCard: card,
            license: card.flatMap(frontMatterLicense(ofCard:)),
            source: .huggingFace(SafetensorsModel(directory: directory), directory),
            fetched: fetched)
    }

    /// The licence in the front matter (YAML between lines of three dashes) of a model card.
    private static func frontMatterLicense(ofCard card: String) -> String? {
        let lines = card.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .lazy.map { $0.trimmingCharacters(in: .whitespaces) }
        guard lines.first == "---" else { return nil }
        for line in lines.dropFirst() {
            guard line != "---" else { return nil }
            if line.hasPrefix("license:") {
                let name = line.dropFirst("license:".count).trimmingCharacters(in: CharacterSet(charactersIn: " \"'"))
                return name.isEmpty ? nil : name
            }
        }
        return nil
    }

    /// The tensor of a role; its shape is what the configuration says.
    ///
    /// - Throws: `CheckpointError` when the checkpoint has none: no weights at all, a head that is tied to the
    ///   embedding, or RoPE factors that live in the configuration.
    public func tensor(_ role: TensorRole) throws(CheckpointError) -> TensorView {
        guard let view = views[role] else {
            throw .missing(
                path,
                hasWeights
                    ? "has no tensor for the \(role)"
                    : "has no weights, only a configuration and a tokenizer; name a complete model")
        }
        return view
    }

    /// The tensor of a role; nil when the checkpoint has none.
    public func tensorIfPresent(_ role: TensorRole) -> TensorView? {
        views[role]
    }

    /// The head: the tensor of its own, or the embedding table when the two are tied.
    ///
    /// - Throws: `CheckpointError` when the checkpoint has no weights.
    public func outputHead() throws(CheckpointError) -> TensorView {
        try tensor(configuration.tiedEmbeddings ? .tokenEmbedding : .output)
    }

    /// All tensors in a fixed order: embedding, layers ascending, norm, head.
    public var tensors: [TensorView] {
        Self.roles(configuration).compactMap { views[$0] }
    }

    /// The roles of a model's tensors in a fixed order.
    static func roles(_ configuration: ModelConfiguration) -> [TensorRole] {
        var roles: [TensorRole] = [.tokenEmbedding]
        for layer in 0..<configuration.layerCount {
            roles += LayerTensor.allCases.map { .layer(layer, $0) }
        }
        return roles + [.outputNorm, .output, .ropeFactorsShort, .ropeFactorsLong]
    }
}
