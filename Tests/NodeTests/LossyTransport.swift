import Synchronization
import Transport
import Trust

/// A network inside one process on which activations for some hosts are lost, as behind a cut in one direction.
final class LossyTransport: RPCTransport {
    private let inner = LocalTransport()
    private let lost = Mutex<Set<String>>([])

    /// From now on.
    func loseActivations(to host: String) { lost.withLock { _ = $0.insert(host) } }

    func listen(host: String, port: Int, handlers: [RPCMethod: RPCHandler]) async throws -> any RPCListener {
        try await inner.listen(host: host, port: port, handlers: handlers)
    }

    func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        let connection = try await inner.connect(host: host, port: port, timeout: timeout, expecting: expected)
        return Connection(inner: connection) { [self] in lost.withLock { $0.contains(host) } }
    }

    private struct Connection: RPCConnection {
        let inner: any RPCConnection
        let isCut: @Sendable () -> Bool

        var peer: String { inner.peer }

        func call(_ method: RPCMethod, timeout: Duration?) async throws -> any RPCStream {
            let stream = try await inner.call(method, timeout: timeout)
            return method == Services.forward ? Stream(inner: stream, isCut: isCut) : stream
        }

        func waitUntilClosed() async -> RPCError { await inner.waitUntilClosed() }

        func close() async { await inner.close() }
    }

    private struct Stream: RPCStream {
        let inner: any RPCStream
        let isCut: @Sendable () -> Bool

        var method: RPCMethod { inner.method }
        var peer: String { inner.peer }
        var caller: Caller { inner.caller }
        var messages: RPCMessages { inner.messages }

        func send(_ message: [UInt8]) async throws {
            if !isCut() { try await inner.send(message) }
        }

        func finish() async throws { try await inner.finish() }

        func cancel(_ status: RPCError) { inner.cancel(status) }
    }
}
