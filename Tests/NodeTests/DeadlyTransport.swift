import Inference
import Synchronization
import Transport
import Trust
import Wire

/// A network inside one process on which the connection to a worker breaks, as when its process dies, as soon as it is to
/// compute one certain token. The worker then joins again, as a new process would.
final class DeadlyTransport: RPCTransport {
    private let inner = LocalTransport()
    private let token: Int32
    private let deaths = Mutex<[Set<SequenceID>]>([])

    init(token: Int32) { self.token = token }

    /// The sequences in the step that killed, of each death.
    var deadlySteps: [Set<SequenceID>] { deaths.withLock { $0 } }

    func listen(host: String, port: Int, handlers: [RPCMethod: RPCHandler]) async throws -> any RPCListener {
        var handlers = handlers
        if let join = handlers[Services.join] {
            handlers[Services.join] = { [self] stream in
                try await join(Stream(inner: stream, kills: kills))
            }
        }
        return try await inner.listen(host: host, port: port, handlers: handlers)
    }

    func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        try await inner.connect(host: host, port: port, timeout: timeout, expecting: expected)
    }

    private func kills(_ message: [UInt8]) -> Bool {
        guard case .step(let step)? = try? CoordinatorMessage(wireBytes: message),
            step.slices.contains(where: { $0.tokens.contains(token) })
        else { return false }
        deaths.withLock { $0.append(Set(step.slices.map(\.sequence))) }
        return true
    }

    private struct Stream: RPCStream {
        let inner: any RPCStream
        let kills: @Sendable ([UInt8]) -> Bool

        var method: RPCMethod { inner.method }
        var peer: String { inner.peer }
        var caller: Caller { inner.caller }
        var messages: RPCMessages { inner.messages }

        func send(_ message: [UInt8]) async throws {
            guard kills(message) else { return try await inner.send(message) }
            let death = RPCError(.unavailable, "the process died")
            inner.cancel(death)
            throw death
        }

        func finish() async throws { try await inner.finish() }

        func cancel(_ status: RPCError) { inner.cancel(status) }
    }
}
