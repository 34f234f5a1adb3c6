import CWire
public import Inference

/// Coordinator to gateway within one call.
public enum EngineReply: Hashable, Sendable, WireMessage {
    /// The request is checked and taken; the first reply to a good request.
    case accepted(RateLimits?)
    case event(GenerationEvent)
    /// Scores of prompt tokens, of which more follow; `.event(.promptLogprobs)` brings the last of them.
    case promptLogprobs([ScoredToken])
    case error(EngineError)

    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.engineReply(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "EngineReply", phalanx__v1__engine_reply__unpack) {
            message throws(WireError) in try unsafe EngineReply(wire: message)
        }
    }

    private init(wire pointer: UnsafeMutablePointer<Phalanx__V1__EngineReply>) throws(WireError) {
        let message = unsafe pointer.pointee
        let choices = 0...WireLimits.choiceCount
        switch unsafe message.content_case {
        case PHALANX__V1__ENGINE_REPLY__CONTENT_ACCEPTED:
            let accepted = try unsafe WireReader.required(message.accepted, "EngineReply.accepted").pointee
            self = .accepted(try unsafe RateLimits(wire: accepted.limits))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_QUEUED:
            let queued = try unsafe WireReader.required(message.queued, "EngineReply.queued").pointee
            self = .event(.queued(ahead: try WireReader.count(unsafe queued.ahead_count, "Queued.ahead_count")))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_PREFILLED:
            let prefilled = try unsafe WireReader.required(message.prefilled, "EngineReply.prefilled").pointee
            self = .event(
                .prefilled(
                    tokenCount: try WireReader.count(unsafe prefilled.token_count, "Prefilled.token_count"),
                    of: try WireReader.count(unsafe prefilled.total_token_count, "Prefilled.total_token_count")))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_PROMPT_LOGPROBS:
            let scores = try unsafe WireReader.required(message.prompt_logprobs, "EngineReply.prompt_logprobs").pointee
            let tokens = try unsafe WireReader.messages(
                scores.tokens, scores.n_tokens, limit: WireLimits.scoredTokenCount, "PromptLogprobs.tokens"
            ) { token throws(WireError) in try unsafe ScoredToken(wire: token) }
            self = unsafe scores.is_last != 0 ? .event(.promptLogprobs(tokens)) : .promptLogprobs(tokens)
        case PHALANX__V1__ENGINE_REPLY__CONTENT_EMBEDDING:
            let embedding = try unsafe WireReader.required(message.embedding, "EngineReply.embedding").pointee
            self = .event(
                .embedding(
                    try unsafe WireReader.array(
                        embedding.values, embedding.n_values, limit: WireLimits.hiddenSize, "Embedding.values")))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_TOKEN:
            let token = try unsafe WireReader.required(message.token, "EngineReply.token").pointee
            self = .event(
                .token(
                    choice: try WireReader.int(unsafe token.choice, choices, "ChoiceToken.choice"),
                    try unsafe ScoredToken(wire: WireReader.required(token.token, "ChoiceToken.token"))))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_FINISHED:
            let finished = try unsafe WireReader.required(message.finished, "EngineReply.finished").pointee
            self = .event(
                .finished(
                    choice: try WireReader.int(unsafe finished.choice, choices, "ChoiceFinished.choice"),
                    try FinishReason(wire: unsafe finished.reason)))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_COMPLETED:
            let usage = try unsafe WireReader.required(message.completed, "EngineReply.completed")
            self = .event(.completed(try unsafe GenerationUsage(wire: usage)))
        case PHALANX__V1__ENGINE_REPLY__CONTENT_ERROR:
            self = .error(try unsafe EngineError(wire: WireReader.required(message.error, "EngineReply.error")))
        default: throw WireError("EngineReply", "has no content that is known here")
        }
    }
}

extension WireArena {
    fileprivate func engineReply(_ value: EngineReply) -> UnsafeMutablePointer<Phalanx__V1__EngineReply> {
        let message = unsafe make(phalanx__v1__engine_reply__init)
        switch value {
        case .accepted(let limits):
            let accepted = unsafe make(phalanx__v1__accepted__init)
            unsafe accepted.pointee.limits = unsafe rateLimits(limits)
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_ACCEPTED
            unsafe message.pointee.accepted = unsafe accepted
        case .event(let event): unsafe set(event, in: message)
        case .promptLogprobs(let tokens): unsafe set(tokens, isLast: false, in: message)
        case .error(let error):
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_ERROR
            unsafe message.pointee.error = unsafe engineError(error)
        }
        return unsafe message
    }

    private func set(_ event: GenerationEvent, in message: UnsafeMutablePointer<Phalanx__V1__EngineReply>) {
        switch event {
        case .queued(let aheadCount):
            let queued = unsafe make(phalanx__v1__queued__init)
            unsafe queued.pointee.ahead_count = UInt64(clamping: aheadCount)
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_QUEUED
            unsafe message.pointee.queued = unsafe queued
        case .prefilled(let tokenCount, let totalCount):
            let prefilled = unsafe make(phalanx__v1__prefilled__init)
            unsafe prefilled.pointee.token_count = UInt32(clamping: tokenCount)
            unsafe prefilled.pointee.total_token_count = UInt32(clamping: totalCount)
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_PREFILLED
            unsafe message.pointee.prefilled = unsafe prefilled
        case .promptLogprobs(let tokens): unsafe set(tokens, isLast: true, in: message)
        case .embedding(let values):
            let embedding = unsafe make(phalanx__v1__embedding__init)
            unsafe embedding.pointee.values = unsafe array(values)
            unsafe embedding.pointee.n_values = values.count
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_EMBEDDING
            unsafe message.pointee.embedding = unsafe embedding
        case .token(let choice, let scored):
            let token = unsafe make(phalanx__v1__choice_token__init)
            unsafe token.pointee.choice = UInt32(clamping: choice)
            unsafe token.pointee.token = unsafe scoredToken(scored)
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_TOKEN
            unsafe message.pointee.token = unsafe token
        case .finished(let choice, let reason):
            let finished = unsafe make(phalanx__v1__choice_finished__init)
            unsafe finished.pointee.choice = UInt32(clamping: choice)
            unsafe finished.pointee.reason = reason.wire
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_FINISHED
            unsafe message.pointee.finished = unsafe finished
        case .completed(let usage):
            unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_COMPLETED
            unsafe message.pointee.completed = unsafe generationUsage(usage)
        }
    }

    private func set(
        _ tokens: [ScoredToken], isLast: Bool, in message: UnsafeMutablePointer<Phalanx__V1__EngineReply>
    ) {
        let scores = unsafe make(phalanx__v1__prompt_logprobs__init)
        unsafe scores.pointee.tokens = unsafe messages(tokens) { unsafe scoredToken($0) }
        unsafe scores.pointee.n_tokens = tokens.count
        unsafe scores.pointee.is_last = isLast ? 1 : 0
        unsafe message.pointee.content_case = PHALANX__V1__ENGINE_REPLY__CONTENT_PROMPT_LOGPROBS
        unsafe message.pointee.prompt_logprobs = unsafe scores
    }
}
