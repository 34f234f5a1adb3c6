import Inference

/// A checked request on its way to the engine: prompts as tokens, and how their answers are to be made.
struct AnswerJob: Sendable {
    /// "cmpl-..." or "chatcmpl-...".
    let id: String
    let createdSeconds: Int
    let model: ModelDescription
    let codec: any TextCodec
    let shared: SharedParameters
    let prompts: [[Int32]]
    /// Per choice; nil means up to the end of the context.
    let maxTokens: Int?
    let echoes: Bool
    let logprobCount: Int?
    /// Whether a choice's text goes on where the prompt's text ended.
    let continuesText: Bool
    /// Whether the end token is among the tokens that log-probabilities are listed for.
    let listsEndToken: Bool
    let timeoutMilliseconds: Int?
    /// What the answers' text is held against.
    var filter: ContentFilter?
    /// The grammar of the answers, in GBNF.
    var grammar: String?
    /// Whether the prompts' embeddings are wanted instead of answers.
    var wantsEmbedding = false
    /// Whom the engine serves, for fairness.
    let client: String
    /// By which the engine knows the client; its name counts then.
    var key: KeyHash?
    /// The HTTP request's, which names it in the logs of all nodes.
    var requestID = ""
    var trace: TraceContext?

    var choiceCount: Int { prompts.count * shared.choiceCount }

    /// What the engine is asked for one of the prompts.
    func request(promptIndex: Int) -> GenerationRequest {
        GenerationRequest(
            id: RequestID(prompts.count == 1 ? requestID : "\(requestID)-\(promptIndex)"),
            prompt: prompts[promptIndex],
            choiceCount: shared.choiceCount,
            maxTokens: maxTokens,
            sampling: shared.sampling,
            seed: shared.seed,
            ignoreEndOfSequence: shared.ignoreEndOfSequence,
            stopTokens: shared.stopTokens,
            logprobCount: logprobCount,
            promptLogprobCount: echoes ? logprobCount : nil,
            timeoutMilliseconds: timeoutMilliseconds,
            client: client,
            priority: shared.priority,
            cacheSalt: shared.cacheSalt,
            grammar: grammar.map { GrammarConstraint(gbnf: $0, beginsText: !continuesText) },
            wantsEmbedding: wantsEmbedding, key: key, trace: trace)
    }

    /// Checks that all tokens are the model's.
    static func check(tokens: [Int32], model: ModelDescription, parameter: String) throws {
        if let wrong = tokens.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            throw APIError.invalid(
                parameter, "Token id \(wrong) is outside the model's vocabulary of \(model.vocabularySize).")
        }
    }

    /// Checks a prompt's tokens and its room in the context.
    ///
    /// - Parameter parameter: The field to name in the error.
    static func check(
        prompt: [Int32], maxTokens: Int?, model: ModelDescription, parameter: String
    ) throws {
        guard !prompt.isEmpty else {
            throw APIError.invalid(parameter, "'\(parameter)' has no tokens; give at least one.")
        }
        try check(tokens: prompt, model: model, parameter: parameter)
        let room = model.contextLength - prompt.count
        guard room >= (maxTokens == 0 ? 0 : 1) else {
            throw APIError(
                .contextLengthExceeded,
                "This model's maximum context length is \(model.contextLength) tokens, but '\(parameter)' alone has "
                    + "\(prompt.count). Please shorten it.", parameter: parameter)
        }
        guard maxTokens ?? 0 <= room else {
            throw APIError(
                .contextLengthExceeded,
                "This model's maximum context length is \(model.contextLength) tokens, but you asked for "
                    + "\(prompt.count) in '\(parameter)' and \(maxTokens ?? 0) in the answer. "
                    + "Please ask for at most \(room), or shorten '\(parameter)'.", parameter: parameter)
        }
    }
}
