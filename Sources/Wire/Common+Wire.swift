import CWire
import Inference

extension WireArena {
    func epoch(_ epoch: Epoch) -> UnsafeMutablePointer<Phalanx__V1__Epoch> {
        let message = unsafe make(phalanx__v1__epoch__init)
        unsafe message.pointee.term = epoch.term
        unsafe message.pointee.plan = epoch.plan
        return unsafe message
    }

    func count(_ value: Int?) -> UnsafeMutablePointer<Phalanx__V1__Count>? {
        unsafe count(value.map { UInt64(clamping: $0) })
    }

    func count(_ value: UInt64?) -> UnsafeMutablePointer<Phalanx__V1__Count>? {
        guard let value else { return nil }
        let message = unsafe make(phalanx__v1__count__init)
        unsafe message.pointee.value = value
        return unsafe message
    }

    func optionalText(
        _ value: String?, limit: Int = WireLimits.textByteCount
    ) -> UnsafeMutablePointer<Phalanx__V1__Text>? {
        guard let value else { return nil }
        let message = unsafe make(phalanx__v1__text__init)
        unsafe message.pointee.value = unsafe text(value, limit: limit)
        return unsafe message
    }

    func layers(_ layers: LayerRange?) -> UnsafeMutablePointer<Phalanx__V1__LayerRange>? {
        guard let layers else { return nil }
        let message = unsafe make(phalanx__v1__layer_range__init)
        unsafe message.pointee.first = UInt32(clamping: layers.first)
        unsafe message.pointee.end = UInt32(clamping: layers.end)
        return unsafe message
    }

    func scoredToken(_ token: ScoredToken) -> UnsafeMutablePointer<Phalanx__V1__ScoredToken> {
        let message = unsafe make(phalanx__v1__scored_token__init)
        unsafe message.pointee.token = token.token
        unsafe message.pointee.logprob = token.logprob
        unsafe message.pointee.top_tokens = unsafe array(token.top.map(\.token))
        unsafe message.pointee.n_top_tokens = token.top.count
        unsafe message.pointee.top_logprobs = unsafe array(token.top.map(\.logprob))
        unsafe message.pointee.n_top_logprobs = token.top.count
        return unsafe message
    }

    func sampling(_ sampling: SamplingParameters) -> UnsafeMutablePointer<Phalanx__V1__SamplingParameters> {
        let message = unsafe make(phalanx__v1__sampling_parameters__init)
        unsafe message.pointee.temperature = sampling.temperature
        unsafe message.pointee.top_k = UInt32(clamping: sampling.topK)
        unsafe message.pointee.top_p = sampling.topP
        unsafe message.pointee.min_p = sampling.minP
        unsafe message.pointee.presence_penalty = sampling.presencePenalty
        unsafe message.pointee.frequency_penalty = sampling.frequencyPenalty
        unsafe message.pointee.repetition_penalty = sampling.repetitionPenalty
        unsafe message.pointee.bias_tokens = unsafe array(sampling.logitBias.map(\.token))
        unsafe message.pointee.n_bias_tokens = sampling.logitBias.count
        unsafe message.pointee.biases = unsafe array(sampling.logitBias.map(\.bias))
        unsafe message.pointee.n_biases = sampling.logitBias.count
        return unsafe message
    }
}

extension Epoch {
    init(wire message: UnsafeMutablePointer<Phalanx__V1__Epoch>?, _ field: String) throws(WireError) {
        let message = try unsafe WireReader.required(message, field)
        unsafe self.init(term: message.pointee.term, plan: message.pointee.plan)
    }
}

extension LayerRange {
    init(wire message: UnsafeMutablePointer<Phalanx__V1__LayerRange>, _ field: String) throws(WireError) {
        let first = try WireReader.int(unsafe message.pointee.first, 0...WireLimits.layerCount, field)
        let end = try WireReader.int(unsafe message.pointee.end, 0...WireLimits.layerCount, field)
        guard let range = LayerRange(first: first, end: end) else {
            throw WireError(field, "from \(first) up to \(end) holds no layers")
        }
        self = range
    }
}

extension ScoredToken {
    /// A log-probability may be minus infinity, never NaN.
    init(wire message: UnsafeMutablePointer<Phalanx__V1__ScoredToken>) throws(WireError) {
        let limit = WireLimits.alternativeCount
        let message = unsafe message.pointee
        let tokens = unsafe try WireReader.array(
            message.top_tokens, message.n_top_tokens, limit: limit, "ScoredToken.top_tokens")
        let logprobs = unsafe try WireReader.array(
            message.top_logprobs, message.n_top_logprobs, limit: limit, "ScoredToken.top_logprobs")
        guard tokens.count == logprobs.count else {
            throw WireError("ScoredToken.top_logprobs", "\(logprobs.count) for \(tokens.count) tokens")
        }
        let token = unsafe message.token
        let logprob = unsafe message.logprob
        guard token >= 0, tokens.allSatisfy({ $0 >= 0 }) else {
            throw WireError("ScoredToken.token", "is negative")
        }
        guard !logprob.isNaN, !logprobs.contains(where: \.isNaN) else {
            throw WireError("ScoredToken.logprob", "is not a number")
        }
        self.init(
            token: token, logprob: logprob,
            top: zip(tokens, logprobs).map { TokenLogprob(token: $0, logprob: $1) })
    }
}

extension SamplingParameters {
    /// Values as they are given, finite; their ranges are the scheduler's to check.
    init(wire message: UnsafeMutablePointer<Phalanx__V1__SamplingParameters>?, _ field: String) throws(WireError) {
        let message = try unsafe WireReader.required(message, field).pointee
        let limit = WireLimits.logitBiasCount
        let tokens = unsafe try WireReader.array(
            message.bias_tokens, message.n_bias_tokens, limit: limit, "SamplingParameters.bias_tokens")
        let biases = unsafe try WireReader.array(
            message.biases, message.n_biases, limit: limit, "SamplingParameters.biases")
        guard tokens.count == biases.count else {
            throw WireError("SamplingParameters.biases", "\(biases.count) for \(tokens.count) tokens")
        }
        for bias in biases { _ = try WireReader.finite(bias, "SamplingParameters.biases") }
        self.init(
            temperature: try WireReader.finite(unsafe message.temperature, "SamplingParameters.temperature"),
            topK: try WireReader.count(unsafe message.top_k, "SamplingParameters.top_k"),
            topP: try WireReader.finite(unsafe message.top_p, "SamplingParameters.top_p"),
            minP: try WireReader.finite(unsafe message.min_p, "SamplingParameters.min_p"),
            presencePenalty: try WireReader.finite(
                unsafe message.presence_penalty, "SamplingParameters.presence_penalty"),
            frequencyPenalty: try WireReader.finite(
                unsafe message.frequency_penalty, "SamplingParameters.frequency_penalty"),
            repetitionPenalty: try WireReader.finite(
                unsafe message.repetition_penalty, "SamplingParameters.repetition_penalty"),
            logitBias: zip(tokens, biases).map { LogitBias(token: $0, bias: $1) })
    }
}
