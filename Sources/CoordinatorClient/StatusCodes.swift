import Inference
import Transport

/// How an engine's errors travel as gRPC statuses, where a call has no other place for them, and back.
extension RPCError {
    /// The status that an answer ends with instead of a reply.
    init(_ error: EngineError) {
        let code: Code =
            switch error.code {
            case .invalidRequest: .invalidArgument
            case .contextOverflow: .outOfRange
            case .overloaded: .resourceExhausted
            case .unavailable: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .cancelled: .cancelled
            case .unauthenticated: .unauthenticated
            case .internal: .internalError
            case .requestFailed: .aborted
            }
        self.init(code, error.message)
    }
}

extension EngineError {
    /// What a failed call to the coordinator means for the request.
    init(_ error: RPCError, coordinator: String) {
        let code: Code =
            switch error.code {
            case .invalidArgument, .notFound: .invalidRequest
            case .outOfRange: .contextOverflow
            case .resourceExhausted: .overloaded
            case .unavailable, .unauthenticated, .permissionDenied, .unimplemented: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .cancelled: .cancelled
            case .aborted: .requestFailed
            default: .internal
            }
        self.init(code: code, message: "coordinator \(coordinator): \(error.message)")
    }
}
