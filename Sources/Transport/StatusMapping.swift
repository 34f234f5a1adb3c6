internal import HTTP2

// What HTTP's and HTTP/2's ends mean in gRPC:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors and
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md

extension RPCError.Code {
    /// The status of a call that ended with RST_STREAM.
    init(_ code: HTTP2ErrorCode) {
        switch code {
        case .refusedStream: self = .unavailable
        case .cancel: self = .cancelled
        case .enhanceYourCalm: self = .resourceExhausted
        case .inadequateSecurity: self = .permissionDenied
        case .streamClosed: self = .unknown
        default: self = .internalError
        }
    }

    /// The status of a call that was answered without one.
    init(httpStatus: String) {
        switch httpStatus {
        case "400": self = .internalError
        case "401": self = .unauthenticated
        case "403": self = .permissionDenied
        case "404": self = .unimplemented
        case "429", "502", "503", "504": self = .unavailable
        default: self = .unknown
        }
    }
}
