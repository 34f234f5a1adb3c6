/// Why the engine does not (or no longer) answer a request.
public struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable, Codable {
        /// The request itself is wrong; `parameter` says where.
        case invalidRequest
        /// Prompt and answer do not fit into the context.
        case contextOverflow
        /// Too many requests wait; try again after `retryAfterSeconds`.
        case overloaded
        /// The cluster cannot serve now (starting, or workers are missing).
        case unavailable
        /// The request's time is over.
        case deadlineExceeded
        /// The client or the server ended it.
        case cancelled
        /// No API key came along, or one that is not good.
        case unauthenticated
        /// Workers fail whenever they compute it; trying again would only make more of them fail.
        case requestFailed
        /// Our own fault.
        case `internal`
    }

    public let code: Code
    /// What was wrong and what to do, for people.
    public let message: String
    /// The request's field that is to blame, in the API's spelling.
    public let parameter: String?
    public let retryAfterSeconds: Int?
    /// Of the client, where these are the reason.
    public let limits: RateLimits?

    public init(
        code: Code, message: String, parameter: String? = nil, retryAfterSeconds: Int? = nil, limits: RateLimits? = nil
    ) {
        self.code = code
        self.message = message
        self.parameter = parameter
        self.retryAfterSeconds = retryAfterSeconds
        self.limits = limits
    }

    public var description: String { message }
}
