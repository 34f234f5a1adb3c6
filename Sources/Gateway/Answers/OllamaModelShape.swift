import Foundation
import Inference

/// Ollama's answers about the served model.
enum OllamaModelShape {
    /// The version of Ollama whose API is spoken here, for clients that ask for one that is new enough.
    static let version = "0.12.0"

    /// `GET /api/tags`
    static func list(_ model: ModelDescription) -> JSONValue {
        ["models": [.object(entry(model))]]
    }

    /// `GET /api/ps`
    static func running(_ model: ModelDescription) -> JSONValue {
        var object = entry(model)
        // It never leaves; Ollama's clients want a time all the same.
        object.append("expires_at", .string(time(.distantFuture)))
        object.append("context_length", JSONValue(model.contextLength))
        return ["models": [.object(object)]]
    }

    /// `POST /api/show`
    static func details(_ model: ModelDescription) -> JSONValue {
        [
            "modelfile": .string("FROM \(model.id)\n"),
            "parameters": "",
            "template": "",
            "license": .string(model.license ?? ""),
            "details": details(of: model),
            "model_info": .object(facts(model)),
            "capabilities": ["completion", "embedding"],
            "modified_at": .string(time(of: model)),
        ]
    }

    static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private static func time(of model: ModelDescription) -> String {
        time(Date(timeIntervalSince1970: TimeInterval(model.createdSeconds)))
    }

    private static func entry(_ model: ModelDescription) -> JSONObject {
        [
            "name": .string(model.id + ":latest"),
            "model": .string(model.id + ":latest"),
            "modified_at": .string(time(of: model)),
            "size": JSONValue(model.weightByteCount),
            "digest": .string(model.fingerprint),
            "details": details(of: model),
        ]
    }

    private static func facts(_ model: ModelDescription) -> JSONObject {
        var facts: JSONObject = [
            "general.architecture": .string(model.architecture),
            "general.basename": .string(model.name),
            "general.parameter_count": JSONValue(model.parameterCount),
        ]
        facts.append("\(model.architecture).context_length", JSONValue(model.contextLength))
        facts.append("\(model.architecture).block_count", JSONValue(model.layerCount))
        facts.append("\(model.architecture).embedding_length", JSONValue(model.hiddenSize))
        return facts
    }

    private static func details(of model: ModelDescription) -> JSONValue {
        [
            "parent_model": "",
            "format": "gguf",
            "family": .string(model.architecture),
            "families": [.string(model.architecture)],
            "parameter_size": .string(size(model.parameterCount)),
            // The most frequent type stands first.
            "quantization_level": .string(String(model.quantization.prefix { $0 != " " })),
        ]
    }

    /// A number of parameters as Ollama writes it: "14.0B", "3.1M".
    private static func size(_ count: Int) -> String {
        let (unit, name) =
            count >= 1_000_000_000 ? (1_000_000_000, "B") : count >= 1_000_000 ? (1_000_000, "M") : (1000, "K")
        let tenths = (count * 10 + unit / 2) / unit
        return "\(tenths / 10).\(tenths % 10)\(name)"
    }
}
