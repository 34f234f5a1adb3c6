public import Trust

/// The name of a remote procedure, `/package.Service/Method` on the wire.
public struct RPCMethod: Hashable, Sendable, CustomStringConvertible {
    public let service: String
    public let name: String

    public init(service: String, name: String) {
        self.service = service
        self.name = name
    }

    public var path: String { "/\(service)/\(name)" }

    public var description: String { path }
}

/// One call as either side sees it: messages come in, messages go out.
///
/// Messages are whole gRPC messages without their 5-byte prefix, each at most the limit of the connection.
public protocol RPCStream: Sendable {
    var method: RPCMethod { get }

    /// The peer, "host:port", for logs.
    var peer: String { get }

    /// Who the peer is, where nodes show certificates.
    var caller: Caller { get }

    /// The peer's messages. Ends when the peer has finished; throws `RPCError` for every other end.
    /// May be iterated once. Bytes are acknowledged to the peer (flow control) as messages are taken.
    var messages: RPCMessages { get }

    /// Sends a message; returns when it is handed to the connection and the peer's window allows more.
    func send(_ message: [UInt8]) async throws

    /// Client: no more messages will be sent. Server: the call is answered, status OK. May be called again.
    func finish() async throws

    /// Ends the call at once; the other side sees `status` (a client sees CANCELLED as its own doing).
    func cancel(_ status: RPCError)
}

/// The messages of a call, in order.
public struct RPCMessages: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    private let next: @Sendable () async throws -> [UInt8]?

    /// `next` returns nil after the last message and throws `RPCError` when the call failed.
    public init(next: @escaping @Sendable () async throws -> [UInt8]?) { self.next = next }

    public func makeAsyncIterator() -> Iterator { Iterator(pull: next) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let pull: @Sendable () async throws -> [UInt8]?

        public mutating func next() async throws -> [UInt8]? { try await pull() }
    }
}

/// Serves one call. Returning finishes it with OK; throwing an `RPCError` ends it with that status, any other error
/// with INTERNAL (the text goes to the log, not to the peer).
public typealias RPCHandler = @Sendable (any RPCStream) async throws -> Void

/// A connection to a node that calls can be made on.
public protocol RPCConnection: Sendable {
    /// The node, "host:port".
    var peer: String { get }

    /// Begins a call. `timeout` bounds the whole call (`grpc-timeout`); nil for streams that live on.
    func call(_ method: RPCMethod, timeout: Duration?) async throws -> any RPCStream

    /// Returns when the connection is down, with the reason.
    func waitUntilClosed() async -> RPCError

    func close() async
}

/// A node's open door.
public protocol RPCListener: Sendable {
    var host: String { get }
    /// The port in use (a free one when 0 was asked for).
    var port: Int { get }

    /// Refuses new calls, lets running ones end for at most `grace`, then closes.
    func shutdown(grace: Duration) async
}

/// How nodes reach each other: over TCP, or inside one process for tests.
public protocol RPCTransport: Sendable {
    func listen(host: String, port: Int, handlers: [RPCMethod: RPCHandler]) async throws -> any RPCListener

    /// - Parameter expected: whom the caller means to reach; checked where nodes show certificates.
    func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection
}

extension RPCTransport {
    /// Connects to any node of the cluster.
    public func connect(host: String, port: Int, timeout: Duration) async throws -> any RPCConnection {
        try await connect(host: host, port: port, timeout: timeout, expecting: .any)
    }
}

extension RPCConnection {
    /// Sends one message and returns the single answer.
    public func unary(_ method: RPCMethod, _ request: [UInt8], timeout: Duration) async throws -> [UInt8] {
        let stream = try await call(method, timeout: timeout)
        try await stream.send(request)
        try await stream.finish()
        var answer: [UInt8]?
        for try await message in stream.messages {
            guard answer == nil else {
                throw RPCError(.internalError, "\(method) answered twice, one answer was expected")
            }
            answer = message
        }
        guard let answer else { throw RPCError(.internalError, "\(method) ended without an answer") }
        return answer
    }
}
