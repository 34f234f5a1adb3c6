import CWire
import Inference

/// How requests end: reasons, usage, errors.
extension WireArena {
    func generationUsage(_ usage: GenerationUsage) -> UnsafeMutablePointer<Phalanx__V1__GenerationUsage> {
        let message = unsafe make(phalanx__v1__generation_usage__init)
        unsafe message.pointee.prompt_token_count = UInt64(clamping: usage.promptTokenCount)
        unsafe message.pointee.cached_token_count = UInt64(clamping: usage.cachedTokenCount)
        unsafe message.pointee.completion_token_count = UInt64(clamping: usage.completionTokenCount)
        unsafe message.pointee.queue_milliseconds = usage.queueMilliseconds
        unsafe message.pointee.prefill_milliseconds = usage.prefillMilliseconds
        unsafe message.pointee.decode_milliseconds = usage.decodeMilliseconds
        return unsafe message
    }

    func engineError(_ error: EngineError) -> UnsafeMutablePointer<Phalanx__V1__EngineError> {
        let message = unsafe make(phalanx__v1__engine_error__init)
        unsafe message.pointee.code = error.code.wire
        unsafe message.pointee.message = unsafe text(error.message)
        unsafe message.pointee.parameter = unsafe optionalText(error.parameter, limit: WireLimits.nameByteCount)
        unsafe message.pointee.retry_after_seconds = unsafe count(error.retryAfterSeconds)
        unsafe message.pointee.limits = unsafe rateLimits(error.limits)
        return unsafe message
    }
}

extension FinishReason {
    init(wire reason: Phalanx__V1__FinishReason) throws(WireError) {
        switch reason {
        case PHALANX__V1__FINISH_REASON__FINISH_REASON_STOP: self = .stop
        case PHALANX__V1__FINISH_REASON__FINISH_REASON_LENGTH: self = .length
        case PHALANX__V1__FINISH_REASON__FINISH_REASON_CANCELLED: self = .cancelled
        default: throw WireError("ChoiceFinished.reason", "\(reason.rawValue) is not known")
        }
    }

    var wire: Phalanx__V1__FinishReason {
        switch self {
        case .stop: PHALANX__V1__FINISH_REASON__FINISH_REASON_STOP
        case .length: PHALANX__V1__FINISH_REASON__FINISH_REASON_LENGTH
        case .cancelled: PHALANX__V1__FINISH_REASON__FINISH_REASON_CANCELLED
        }
    }
}

extension GenerationUsage {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__GenerationUsage>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            promptTokenCount: try WireReader.count(
                unsafe message.prompt_token_count, "GenerationUsage.prompt_token_count"),
            cachedTokenCount: try WireReader.count(
                unsafe message.cached_token_count, "GenerationUsage.cached_token_count"),
            completionTokenCount: try WireReader.count(
                unsafe message.completion_token_count, "GenerationUsage.completion_token_count"),
            queueMilliseconds: try WireReader.finite(
                unsafe message.queue_milliseconds, "GenerationUsage.queue_milliseconds"),
            prefillMilliseconds: try WireReader.finite(
                unsafe message.prefill_milliseconds, "GenerationUsage.prefill_milliseconds"),
            decodeMilliseconds: try WireReader.finite(
                unsafe message.decode_milliseconds, "GenerationUsage.decode_milliseconds"))
    }
}

extension EngineError {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__EngineError>) throws(WireError) {
        let message = unsafe pointer.pointee
        let seconds = 0...Int(Int32.max)
        self.init(
            code: try Code(wire: unsafe message.code),
            message: try unsafe WireReader.string(
                message.message, "EngineError.message", limit: WireLimits.textByteCount),
            parameter: try unsafe WireReader.text(
                message.parameter, "EngineError.parameter", limit: WireLimits.nameByteCount),
            retryAfterSeconds: try unsafe WireReader.count(
                message.retry_after_seconds, seconds, "EngineError.retry_after_seconds"),
            limits: try unsafe RateLimits(wire: message.limits))
    }
}

extension EngineError.Code {
    fileprivate init(wire code: Phalanx__V1__ErrorCode) throws(WireError) {
        switch code {
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_INVALID_REQUEST: self = .invalidRequest
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_CONTEXT_OVERFLOW: self = .contextOverflow
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_OVERLOADED: self = .overloaded
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE: self = .unavailable
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_DEADLINE_EXCEEDED: self = .deadlineExceeded
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_CANCELLED: self = .cancelled
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_INTERNAL: self = .internal
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_UNAUTHENTICATED: self = .unauthenticated
        case PHALANX__V1__ERROR_CODE__ERROR_CODE_REQUEST_FAILED: self = .requestFailed
        default: throw WireError("EngineError.code", "\(code.rawValue) is not known")
        }
    }

    fileprivate var wire: Phalanx__V1__ErrorCode {
        switch self {
        case .invalidRequest: PHALANX__V1__ERROR_CODE__ERROR_CODE_INVALID_REQUEST
        case .contextOverflow: PHALANX__V1__ERROR_CODE__ERROR_CODE_CONTEXT_OVERFLOW
        case .overloaded: PHALANX__V1__ERROR_CODE__ERROR_CODE_OVERLOADED
        case .unavailable: PHALANX__V1__ERROR_CODE__ERROR_CODE_UNAVAILABLE
        case .deadlineExceeded: PHALANX__V1__ERROR_CODE__ERROR_CODE_DEADLINE_EXCEEDED
        case .cancelled: PHALANX__V1__ERROR_CODE__ERROR_CODE_CANCELLED
        case .unauthenticated: PHALANX__V1__ERROR_CODE__ERROR_CODE_UNAUTHENTICATED
        case .internal: PHALANX__V1__ERROR_CODE__ERROR_CODE_INTERNAL
        case .requestFailed: PHALANX__V1__ERROR_CODE__ERROR_CODE_REQUEST_FAILED
        }
    }
}
