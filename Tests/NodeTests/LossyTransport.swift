import Synchronization
import Transport
import Trust

/// A network inside one process on which activations for some hosts are lost, as behind a cut in one direction, or arrive
/// damaged, or on which nothing gets through to workers of these hosts any more.
final class LossyTransport: RPCTransport {
    private let inner = LocalTransport()
    private let lost = Mutex<Set<String>>([])
    private let damaging = Mutex<Set<String>>([])
    private let cut = Mutex<Set<String>>([])

    /// From now on.
    func loseActivations(to host: String) { lost.withLock { _ = $0.insert(host) } }

    /// From now on one bit of each is another.
    func damageActivations(to host: String) { damaging.withLock { _ = $0.insert(host) } }

    /// From now on connections to it stay open, but nobody answers.
    func cut(to host: String) { cut.withLock { _ = $0.insert(host) } }

    func listen(host: String, port: Int, handlers: [RPCMethod: RPCHandler]) async throws -> any RPCListener {
        try await inner.listen(host: host, port: port, handlers: handlers)
    }

    func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        try await waitIfCut(host, timeout)
        let connection = try await inner.connect(host: host, port: port, timeout: timeout, expecting: expected)
        return Connection(inner: connection, host: host, network: self)
    }

    private func waitIfCut(_ host: String, _ timeout: Duration?) async throws {
        guard cut.withLock({ $0.contains(host) }) else { return }
        try await Task.sleep(for: timeout ?? .seconds(3600))
        throw RPCError(.deadlineExceeded, "\(host) does not answer")
    }

    private struct Connection: RPCConnection {
        let inner: any RPCConnection
        let host: String
        let network: LossyTransport

        var peer: String { inner.peer }

        func call(_ method: RPCMethod, timeout: Duration?) async throws -> any RPCStream {
            try await network.waitIfCut(host, timeout)
            let stream = try await inner.call(method, timeout: timeout)
            return method == Services.forward ? Stream(inner: stream, host: host, network: network) : stream
        }

        func waitUntilClosed() async -> RPCError { await inner.waitUntilClosed() }

        func close() async { await inner.close() }
    }

    private struct Stream: RPCStream {
        let inner: any RPCStream
        let host: String
        let network: LossyTransport

        var method: RPCMethod { inner.method }
        var peer: String { inner.peer }
        var caller: Caller { inner.caller }
        var messages: RPCMessages { inner.messages }

        func send(_ message: [UInt8]) async throws {
            guard !network.lost.withLock({ $0.contains(host) }) else { return }
            var message = message
            if network.damaging.withLock({ $0.contains(host) }) { message[message.count - 1] ^= 1 }
            try await inner.send(message)
        }

        func finish() async throws { try await inner.finish() }

        func cancel(_ status: RPCError) { inner.cancel(status) }
    }
}
