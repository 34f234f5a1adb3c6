extension APIError {
    /// The error's body in the shape of an API.
    func body(_ face: APIFace, requestID: String?) -> JSONValue {
        switch face {
        case .openAI: body
        case .anthropic: anthropicBody(requestID: requestID)
        case .ollama: ["error": .string(message)]
        }
    }

    /// https://docs.anthropic.com/en/api/errors
    private func anthropicBody(requestID: String?) -> JSONValue {
        let type: JSONValue =
            switch kind {
            case .modelNotFound, .unknownRoute, .responseNotFound: "not_found_error"
            case .unauthenticated: "authentication_error"
            case .bodyTooLarge: "request_too_large"
            case .overloaded: "rate_limit_error"
            case .unavailable: "overloaded_error"
            case .deadlineExceeded: "timeout_error"
            case .requestFailed, .internalError: "api_error"
            case .invalidRequest, .contentFiltered, .contextLengthExceeded, .previousResponseNotFound,
                .methodNotAllowed,
                .unsupportedMediaType:
                "invalid_request_error"
            }
        var object: JSONObject = ["type": "error", "error": ["type": type, "message": .string(message)]]
        if let requestID { object.append("request_id", .string(requestID)) }
        return .object(object)
    }
}
