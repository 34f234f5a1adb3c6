import CWire
public import Inference

/// Gateway to coordinator within one call: the request first, then cancellations of single choices.
public enum GenerateMessage: Hashable, Sendable, WireMessage {
    case request(GenerationRequest)
    case cancelChoice(Int)

    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.generateMessage(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "GenerateMessage", phalanx__v1__generate_message__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            switch unsafe message.content_case {
            case PHALANX__V1__GENERATE_MESSAGE__CONTENT_REQUEST:
                let request = try unsafe WireReader.required(message.request, "GenerateMessage.request")
                return .request(try unsafe GenerationRequest(wire: request))
            case PHALANX__V1__GENERATE_MESSAGE__CONTENT_CANCEL_CHOICE:
                let cancel = try unsafe WireReader.required(message.cancel_choice, "GenerateMessage.cancel_choice")
                let choices = 0...WireLimits.choiceCount
                return .cancelChoice(try WireReader.int(unsafe cancel.pointee.choice, choices, "CancelChoice.choice"))
            default: throw WireError("GenerateMessage", "has no content that is known here")
            }
        }
    }
}

extension WireArena {
    fileprivate func generateMessage(_ value: GenerateMessage) -> UnsafeMutablePointer<Phalanx__V1__GenerateMessage> {
        let message = unsafe make(phalanx__v1__generate_message__init)
        switch value {
        case .request(let request):
            unsafe message.pointee.content_case = PHALANX__V1__GENERATE_MESSAGE__CONTENT_REQUEST
            unsafe message.pointee.request = unsafe generationRequest(request)
        case .cancelChoice(let choice):
            let cancel = unsafe make(phalanx__v1__cancel_choice__init)
            unsafe cancel.pointee.choice = UInt32(clamping: choice)
            unsafe message.pointee.content_case = PHALANX__V1__GENERATE_MESSAGE__CONTENT_CANCEL_CHOICE
            unsafe message.pointee.cancel_choice = unsafe cancel
        }
        return unsafe message
    }

    private func generationRequest(
        _ request: GenerationRequest
    ) -> UnsafeMutablePointer<Phalanx__V1__GenerationRequest> {
        let message = unsafe make(phalanx__v1__generation_request__init)
        unsafe message.pointee.id = unsafe text(request.id.rawValue, limit: WireLimits.nameByteCount)
        unsafe message.pointee.prompt = unsafe array(request.prompt)
        unsafe message.pointee.n_prompt = request.prompt.count
        unsafe message.pointee.generated = unsafe array(request.generated)
        unsafe message.pointee.n_generated = request.generated.count
        unsafe message.pointee.choice_count = UInt32(clamping: request.choiceCount)
        unsafe message.pointee.max_tokens = unsafe count(request.maxTokens)
        unsafe message.pointee.sampling = unsafe sampling(request.sampling)
        unsafe message.pointee.seed = unsafe count(request.seed)
        unsafe message.pointee.ignore_end_of_sequence = request.ignoreEndOfSequence ? 1 : 0
        unsafe message.pointee.stop_tokens = unsafe array(request.stopTokens)
        unsafe message.pointee.n_stop_tokens = request.stopTokens.count
        unsafe message.pointee.logprob_count = unsafe count(request.logprobCount)
        unsafe message.pointee.prompt_logprob_count = unsafe count(request.promptLogprobCount)
        unsafe message.pointee.timeout_milliseconds = unsafe count(request.timeoutMilliseconds)
        unsafe message.pointee.client = unsafe text(request.client, limit: WireLimits.nameByteCount)
        unsafe message.pointee.priority = Int32(clamping: request.priority)
        unsafe message.pointee.cache_salt = unsafe optionalText(request.cacheSalt, limit: WireLimits.nameByteCount)
        unsafe message.pointee.traceparent = unsafe string(request.trace?.traceparent ?? "")
        unsafe message.pointee.tracestate = unsafe string(request.trace?.state ?? "")
        if let constraint = request.grammar {
            let grammar = unsafe make(phalanx__v1__grammar__init)
            // Never cut, which would make another grammar of it: what is too long is refused.
            unsafe grammar.pointee.gbnf = unsafe string(constraint.gbnf)
            unsafe grammar.pointee.begins_text = constraint.beginsText ? 1 : 0
            unsafe message.pointee.grammar = unsafe grammar
        }
        unsafe message.pointee.wants_embedding = request.wantsEmbedding ? 1 : 0
        if let key = request.key { unsafe message.pointee.key_hash = unsafe bytes(key.bytes) }
        return unsafe message
    }
}

extension GenerationRequest {
    /// Numbers as they are given; whether they make sense for the model is the scheduler's to check.
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__GenerationRequest>) throws(WireError) {
        let message = unsafe pointer.pointee
        let limit = WireLimits.tokenCount
        let numbers = 0...Int(Int32.max)
        let field = "GenerationRequest"
        var seed: UInt64?
        if let given = unsafe message.seed { seed = unsafe given.pointee.value }
        var grammar: GrammarConstraint?
        if let given = unsafe message.grammar?.pointee {
            grammar = GrammarConstraint(
                gbnf: try unsafe WireReader.string(
                    given.gbnf, "\(field).grammar", limit: WireLimits.grammarByteCount),
                beginsText: unsafe given.begins_text != 0)
        }
        self.init(
            id: RequestID(try unsafe WireReader.string(message.id, "\(field).id")),
            prompt: try unsafe WireReader.array(message.prompt, message.n_prompt, limit: limit, "\(field).prompt"),
            generated: try unsafe WireReader.array(
                message.generated, message.n_generated, limit: limit, "\(field).generated"),
            choiceCount: try WireReader.int(unsafe message.choice_count, 0...Int(UInt32.max), "\(field).choice_count"),
            maxTokens: try unsafe WireReader.count(message.max_tokens, 0...Int.max, "\(field).max_tokens"),
            sampling: try unsafe SamplingParameters(wire: message.sampling, "\(field).sampling"), seed: seed,
            ignoreEndOfSequence: unsafe message.ignore_end_of_sequence != 0,
            stopTokens: try unsafe WireReader.array(
                message.stop_tokens, message.n_stop_tokens, limit: limit, "\(field).stop_tokens"),
            logprobCount: try unsafe WireReader.count(message.logprob_count, numbers, "\(field).logprob_count"),
            promptLogprobCount: try unsafe WireReader.count(
                message.prompt_logprob_count, numbers, "\(field).prompt_logprob_count"),
            timeoutMilliseconds: try unsafe WireReader.count(
                message.timeout_milliseconds, 0...Int.max, "\(field).timeout_milliseconds"),
            client: try unsafe WireReader.string(message.client, "\(field).client"),
            priority: unsafe Int(message.priority),
            cacheSalt: try unsafe WireReader.text(
                message.cache_salt, "\(field).cache_salt", limit: WireLimits.nameByteCount),
            grammar: grammar, wantsEmbedding: unsafe message.wants_embedding != 0,
            key: try unsafe WireReader.keyHash(message.key_hash, "\(field).key_hash"),
            trace: TraceContext(
                traceparent: try unsafe WireReader.string(message.traceparent, "\(field).traceparent"),
                tracestate: try unsafe WireReader.string(message.tracestate, "\(field).tracestate")))
    }
}
