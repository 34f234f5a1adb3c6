import Inference

/// How an answer looks in one of the APIs.
protocol AnswerShape: Sendable {
    /// How a stream is written.
    var framing: StreamFraming { get }

    /// The object that holds the whole answer.
    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) async throws -> JSONValue

    /// What opens a stream.
    mutating func opening() -> [JSONValue]

    /// What is new in a choice of a stream.
    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue]

    /// What ends a stream that came to its end.
    mutating func closing(_ usage: AnswerUsage) async throws -> [JSONValue]

    /// What ends a stream that failed.
    mutating func failure(_ error: APIError) -> [JSONValue]

    /// What says nothing while nothing happens; nil for a comment.
    func keepAlive() -> JSONValue?
}

// OpenAI's completions.
extension AnswerShape {
    var framing: StreamFraming { .events }

    func failure(_ error: APIError) -> [JSONValue] { [error.body] }

    func keepAlive() -> JSONValue? { nil }
}

extension AnswerJob {
    /// The members that every object of an answer begins with.
    func envelope(object: String, choices: [JSONValue]) -> JSONObject {
        var envelope: JSONObject = [
            "id": .string(id),
            "object": .string(object),
            "created": JSONValue(createdSeconds),
            "model": .string(model.id),
            "system_fingerprint": .string(model.systemFingerprint),
            "choices": .array(choices),
        ]
        // OpenAI tells the tier that served when one was asked for.
        if shared.labels.serviceTier != nil { envelope.append("service_tier", "default") }
        return envelope
    }

    /// The chunk without choices that ends a stream whose client wants the usage.
    func usageChunks(object: String, _ usage: AnswerUsage) -> [JSONValue] {
        guard shared.includesUsage else { return [] }
        var object = envelope(object: object, choices: [])
        object.append("usage", usage.json)
        return [.object(object)]
    }

    /// The same for a chunk of a stream: its usage is null until the last one, when it was asked for.
    func chunkEnvelope(object: String, choices: [JSONValue]) -> JSONValue {
        var envelope = envelope(object: object, choices: choices)
        if shared.includesUsage { envelope.append("usage", .null) }
        return .object(envelope)
    }
}
