import HTTPTypes
import Inference

/// Why a client gets no answer, in OpenAI's terms. The one place that chooses HTTP status codes.
struct APIError: Error, Hashable {
    enum Kind: Hashable {
        case invalidRequest
        case unauthenticated
        case contentFiltered
        case contextLengthExceeded
        case modelNotFound
        case responseNotFound
        case previousResponseNotFound
        case unknownRoute
        case methodNotAllowed
        case bodyTooLarge
        case unsupportedMediaType
        case overloaded
        case unavailable
        case deadlineExceeded
        case requestFailed
        case internalError
    }

    let kind: Kind
    let message: String
    /// The request's parameter that is to blame.
    var parameter: String?
    var retryAfterSeconds: Int?
    /// What the client's key allows, where that is the reason.
    var limits: RateLimits?

    init(_ kind: Kind, _ message: String, parameter: String? = nil, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.message = message
        self.parameter = parameter
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// A parameter that cannot be honoured.
    static func invalid(_ parameter: String?, _ message: String) -> APIError {
        APIError(.invalidRequest, message, parameter: parameter)
    }

    var status: HTTPResponse.Status {
        switch kind {
        case .invalidRequest, .contextLengthExceeded, .previousResponseNotFound, .contentFiltered: .badRequest
        case .unauthenticated: .unauthorized
        case .modelNotFound, .responseNotFound, .unknownRoute: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .bodyTooLarge: .contentTooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .overloaded: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .deadlineExceeded: .gatewayTimeout
        case .requestFailed, .internalError: .internalServerError
        }
    }

    /// OpenAI's `type` and `code`.
    private var names: (type: String, code: String?) {
        switch kind {
        case .invalidRequest: ("invalid_request_error", nil)
        case .unauthenticated: ("invalid_request_error", "invalid_api_key")
        case .contentFiltered: ("invalid_request_error", "content_filter")
        case .contextLengthExceeded: ("invalid_request_error", "context_length_exceeded")
        case .modelNotFound: ("invalid_request_error", "model_not_found")
        case .responseNotFound: ("invalid_request_error", nil)
        case .previousResponseNotFound: ("invalid_request_error", "previous_response_not_found")
        case .unknownRoute: ("invalid_request_error", "unknown_url")
        case .methodNotAllowed: ("invalid_request_error", "method_not_supported")
        case .bodyTooLarge: ("invalid_request_error", "request_too_large")
        case .unsupportedMediaType: ("invalid_request_error", "unsupported_media_type")
        case .overloaded: ("rate_limit_error", "rate_limit_exceeded")
        case .unavailable: ("service_unavailable_error", "service_unavailable")
        case .deadlineExceeded: ("timeout_error", "deadline_exceeded")
        case .requestFailed: ("server_error", "request_failed")
        case .internalError: ("server_error", "internal_error")
        }
    }

    /// `{"error": {...}}`, as OpenAI has it.
    var body: JSONValue {
        let names = names
        return [
            "error": [
                "message": .string(message),
                "type": .string(names.type),
                "param": parameter.map { .string($0) } ?? .null,
                "code": names.code.map { .string($0) } ?? .null,
            ]
        ]
    }
}

extension APIError {
    /// What a client is told about any error.
    init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as EngineError: self.init(engine: error)
        case is CancellationError: self.init(.unavailable, "The server is shutting down.")
        default: self.init(.internalError, "The server failed to answer; its log says why.")
        }
    }

    private init(engine error: EngineError) {
        let kind: Kind =
            switch error.code {
            case .invalidRequest: .invalidRequest
            case .contextOverflow: .contextLengthExceeded
            case .overloaded: .overloaded
            case .unavailable, .cancelled: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .unauthenticated: .unauthenticated
            case .requestFailed: .requestFailed
            case .internal: .internalError
            }
        self.init(
            kind, error.message, parameter: error.parameter,
            retryAfterSeconds: error.retryAfterSeconds ?? (kind == .overloaded ? 1 : nil))
        limits = error.limits
    }
}
