import Inference

/// How an answer looks in one of the APIs.
protocol AnswerShape: Sendable {
    /// The object that holds the whole answer.
    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue

    /// The chunks that open a stream.
    func opening() -> [JSONValue]

    /// What is new in a choice of a stream.
    func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue]

    /// The chunk without choices that ends a stream whose client wants the usage.
    func usageChunk(_ usage: AnswerUsage) -> JSONValue
}

extension AnswerJob {
    /// The members that every object of an answer begins with.
    func envelope(object: String, choices: [JSONValue]) -> JSONObject {
        [
            "id": .string(id),
            "object": .string(object),
            "created": JSONValue(createdSeconds),
            "model": .string(model.id),
            "system_fingerprint": .string(model.systemFingerprint),
            "choices": .array(choices),
        ]
    }

    /// The same for a chunk of a stream: its usage is null until the last one, when it was asked for.
    func chunkEnvelope(object: String, choices: [JSONValue]) -> JSONValue {
        var envelope = envelope(object: object, choices: choices)
        if shared.includesUsage { envelope.append("usage", .null) }
        return .object(envelope)
    }
}
