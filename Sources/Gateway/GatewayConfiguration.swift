/// Where the gateway listens and what it bears.
public struct GatewayConfiguration: Hashable, Sendable {
    public var host: String
    /// 0 picks a free port.
    public var port: Int
    /// The largest request body, in bytes; a larger one gets 413.
    public var maxBodyByteCount: Int
    /// The most open client connections; further ones wait to be accepted.
    public var maxConnectionCount: Int
    /// The largest `n`.
    public var maxChoiceCount: Int
    /// The most prompts in one completion request.
    public var maxPromptCount: Int
    /// How many prompts of one completion request are with the engine at a time.
    public var concurrentPromptCount: Int
    /// How long a stream may be silent before a comment is sent, in milliseconds.
    public var keepAliveMilliseconds: Int
    /// How long a client may take nothing of what is written to it before it is dropped, in milliseconds.
    public var slowClientMilliseconds: Int
    /// How long a connection may be idle, or a request stay unfinished without a byte, in milliseconds.
    public var idleMilliseconds: Int
    /// The longest a request may take, in milliseconds; nil for the engine's default.
    public var requestTimeoutMilliseconds: Int?
    /// What is kept of answers of `/v1/responses`.
    public var responses: ResponseLimits
    /// Nil speaks plain HTTP.
    public var tls: TLSFiles?
    /// Origins whose web pages may use the API, such as "https://app.example"; "*" for all.
    public var corsOrigins: [String]
    /// How long answers on their way may still take after a graceful shutdown began; then they end with an error.
    public var shutdownGraceMilliseconds: Int
    /// The program's, for `/metrics`.
    public var version: String

    public init(
        host: String = "127.0.0.1", port: Int = 8080, maxBodyByteCount: Int = 8 << 20, maxConnectionCount: Int = 1024,
        maxChoiceCount: Int = 128, maxPromptCount: Int = 1024, concurrentPromptCount: Int = 16,
        keepAliveMilliseconds: Int = 10_000, slowClientMilliseconds: Int = 60_000, idleMilliseconds: Int = 75_000,
        requestTimeoutMilliseconds: Int? = nil, responses: ResponseLimits = ResponseLimits(), tls: TLSFiles? = nil,
        corsOrigins: [String] = [], shutdownGraceMilliseconds: Int = 20_000, version: String = ""
    ) {
        self.host = host
        self.port = port
        self.maxBodyByteCount = maxBodyByteCount
        self.maxConnectionCount = maxConnectionCount
        self.maxChoiceCount = maxChoiceCount
        self.maxPromptCount = maxPromptCount
        self.concurrentPromptCount = concurrentPromptCount
        self.keepAliveMilliseconds = keepAliveMilliseconds
        self.slowClientMilliseconds = slowClientMilliseconds
        self.idleMilliseconds = idleMilliseconds
        self.requestTimeoutMilliseconds = requestTimeoutMilliseconds
        self.responses = responses
        self.tls = tls
        self.corsOrigins = corsOrigins
        self.shutdownGraceMilliseconds = shutdownGraceMilliseconds
        self.version = version
    }
}
