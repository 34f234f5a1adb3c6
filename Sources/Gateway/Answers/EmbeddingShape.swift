import Foundation
import Inference

/// Answers with embeddings: the mean of a text's last hidden states after the model's final norm, made one long.
enum EmbeddingShape {
    /// What the numbers are, for people.
    static func description(_ model: ModelDescription) -> String {
        "The mean of the last hidden states of all of a text's tokens, the beginning-of-sequence token among them, after "
            + "the final norm, divided by its Euclidean length: \(model.hiddenSize) numbers. The model was trained to write, "
            + "not to embed: texts that are alike have embeddings that are alike, but a model made for it does better."
    }

    /// The answer of `POST /v1/embeddings`.
    static func list(
        _ embeddings: [[Float]], isBase64: Bool, model: ModelDescription, usage: AnswerUsage
    ) -> JSONValue {
        [
            "object": "list",
            "data": .array(
                embeddings.enumerated().map { index, embedding in
                    [
                        "object": "embedding", "index": JSONValue(index),
                        "embedding": isBase64 ? .string(base64(embedding)) : numbers(embedding),
                    ]
                }),
            "model": .string(model.id),
            "usage": [
                "prompt_tokens": JSONValue(usage.promptTokenCount), "total_tokens": JSONValue(usage.promptTokenCount),
            ],
        ]
    }

    static func numbers(_ embedding: [Float]) -> JSONValue { .array(embedding.map { .single($0) }) }

    private static func base64(_ embedding: [Float]) -> String {
        Data(
            embedding.flatMap { number in
                let bits = number.bitPattern
                return (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            }
        ).base64EncodedString()
    }

    /// A mean divided by its length, which is taken in double precision and in order; zeros stay.
    ///
    /// Throws `EngineError` when the model gave no number.
    static func normalized(_ mean: [Float]) throws -> [Float] {
        guard !mean.isEmpty, mean.allSatisfy(\.isFinite) else {
            throw EngineError(
                code: .internal, message: "The model's hidden states are no numbers; its file may be damaged.")
        }
        let length = mean.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? mean.map { Float(Double($0) / length) } : mean
    }
}
