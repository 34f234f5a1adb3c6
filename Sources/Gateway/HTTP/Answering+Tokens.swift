import Hummingbird
import Inference

/// The way between text and tokens.
extension Answering {
    /// `POST /tokenize`
    func tokenize(_ body: JSONValue) async throws -> Response {
        let parameters = try TokenizeParameters(body)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.model, model)
        let tokens =
            switch parameters.source {
            case .text(let text, let addingBeginning, let parsingSpecial):
                try codec.encode(text, addingBeginning: addingBeginning, parsingSpecial: parsingSpecial)
            case .turns(let turns): try codec.encode(chat: codec.toolStyle.turns(turns, tools: nil))
            }
        let ids = tokens.map { JSONValue.integer(Int64($0)) }
        var object: JSONObject = [
            "count": JSONValue(tokens.count),
            "max_model_len": JSONValue(model.contextLength),
            "tokens": .array(
                parameters.hasPieces
                    ? zip(ids, tokens).map { ["id": $0, "piece": Self.piece(of: $1, codec)] } : ids),
        ]
        if parameters.returnsStrings {
            object.append("token_strs", .array(tokens.map { .string(codec.name(of: $0)) }))
        }
        return GatewayResponder.json(.object(object))
    }

    /// `POST /detokenize`
    func detokenize(_ body: JSONValue) async throws -> Response {
        let parameters = try DetokenizeParameters(body)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.model, model)
        try AnswerJob.check(tokens: parameters.tokens, model: model, parameter: "tokens")
        let text = JSONValue.string(codec.decode(parameters.tokens))
        // vLLM's name for it and llama.cpp's.
        return GatewayResponder.json(["prompt": text, "content": text])
    }

    /// `GET /tokenizer_info`, where evaluation tools look for the tokens at both ends of a text, as in vLLM.
    func tokenizerInfo() async throws -> Response {
        let (model, codec) = try await model.current()
        let beginning = try codec.encode("", addingBeginning: true, parsingSpecial: false).first
        func name(_ token: Int32?) -> JSONValue { token.map { .string(codec.name(of: $0)) } ?? .null }
        return GatewayResponder.json([
            "bos_token": name(beginning), "eos_token": name(model.endOfSequenceTokens.first),
            "model_max_length": JSONValue(model.contextLength), "vocab_size": JSONValue(model.vocabularySize),
        ])
    }

    /// A token's text, or its bytes when they are no text by themselves, as llama.cpp writes them.
    private static func piece(of token: Int32, _ codec: any TextCodec) -> JSONValue {
        let bytes = codec.bytes(of: token)
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .array(bytes.map { .integer(Int64($0)) })
    }
}
