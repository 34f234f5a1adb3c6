import Inference

/// The answers of `GET /v1/models`.
enum ModelShape {
    static func list(_ model: ModelDescription) -> JSONValue {
        ["object": "list", "data": [.object(entry(model))]]
    }

    /// One model with its card; throws `APIError` when it is not the served one.
    static func single(_ model: ModelDescription, id: String) throws -> JSONValue {
        try check(id, model)
        var object = entry(model)
        object.append("architecture", .string(model.architecture))
        object.append("quantization", .string(model.quantization))
        object.append("license", model.license.map { .string($0) } ?? .null)
        object.append("embeddings", .string(EmbeddingShape.description(model)))
        object.append("card", model.card.map { .string($0) } ?? .null)
        return .object(object)
    }

    /// Throws `APIError` when a client asks for a model that is not the served one.
    static func check(_ id: String?, _ model: ModelDescription) throws {
        guard let id, id != model.id else { return }
        throw APIError(
            .modelNotFound, "The model '\(id.prefix(128))' does not exist; this server has '\(model.id)'.",
            parameter: "model")
    }

    private static func entry(_ model: ModelDescription) -> JSONObject {
        [
            "id": .string(model.id),
            "object": "model",
            "created": JSONValue(model.createdSeconds),
            "owned_by": "phalanx",
            "root": .string(model.name),
            "max_model_len": JSONValue(model.contextLength),
            "parameters": JSONValue(model.parameterCount),
        ]
    }
}
