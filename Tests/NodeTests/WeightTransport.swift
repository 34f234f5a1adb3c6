import Inference
import Synchronization
import Transport
import Trust
import Wire

/// A network on which workers are told of a path that leads nowhere, as if each had a machine of its own, and on which
/// weights can be counted, damaged and cut off.
final class WeightTransport: RPCTransport {
    /// What happens to the weights that a node gives.
    enum Fault: Sendable {
        case damaged
        /// The node vanishes, to those who fetch, once it gave so many bytes.
        case vanishes(afterByteCount: Int)
    }

    private struct State {
        var faults: [String: Fault] = [:]
        /// Bytes of weights that came from a node.
        var byteCounts: [String: Int] = [:]
    }

    private let inner: any RPCTransport
    private let state = Mutex(State())

    init(_ inner: any RPCTransport = LocalTransport(), faults: [String: Fault] = [:]) {
        self.inner = inner
        state.withLock { $0.faults = faults }
    }

    /// Bytes of weights that came from a node; from all, for nil.
    func byteCount(from node: String? = nil) -> Int {
        state.withLock { state in
            state.byteCounts.reduce(0) { $0 + (node == nil || $1.key == node ? $1.value : 0) }
        }
    }

    func listen(host: String, port: Int, handlers: [RPCMethod: RPCHandler]) async throws -> any RPCListener {
        try await inner.listen(host: host, port: port, handlers: handlers)
    }

    func connect(
        host: String, port: Int, timeout: Duration, expecting expected: ExpectedNode
    ) async throws -> any RPCConnection {
        let node = expected == .coordinator ? "coordinator" : host
        return Connection(
            inner: try await inner.connect(host: host, port: port, timeout: timeout, expecting: expected), node: node,
            network: self)
    }

    fileprivate func take(_ bytes: [UInt8], from node: String) throws -> [UInt8] {
        try state.withLock { state in
            let sum = state.byteCounts[node, default: 0] + bytes.count
            switch state.faults[node] {
            case .damaged: return bytes.dropLast() + [~bytes[bytes.count - 1]]
            case .vanishes(let limit) where sum > limit: throw RPCError(.unavailable, "the node is gone")
            case .vanishes, nil: break
            }
            state.byteCounts[node] = sum
            return bytes
        }
    }

    private struct Connection: RPCConnection {
        let inner: any RPCConnection
        let node: String
        let network: WeightTransport

        var peer: String { inner.peer }

        func call(_ method: RPCMethod, timeout: Duration?) async throws -> any RPCStream {
            let stream = try await inner.call(method, timeout: timeout)
            switch method {
            case Services.join: return Stream(inner: stream, change: Self.withoutPath)
            case Services.readWeights: return Stream(inner: stream) { try network.take($0, from: node) }
            default: return stream
            }
        }

        private static func withoutPath(_ bytes: [UInt8]) throws -> [UInt8] {
            guard case .assign(let old) = try CoordinatorMessage(wireBytes: bytes) else { return bytes }
            let new = StageAssignment(
                epoch: old.epoch, stage: old.stage, stageCount: old.stageCount, layers: old.layers,
                modelPath: "/on/another/machine.gguf", modelFingerprint: old.modelFingerprint, kvType: old.kvType,
                pageCount: old.pageCount, maxRowCount: old.maxRowCount, vocabularyLimit: old.vocabularyLimit,
                next: old.next, peers: old.peers)
            return CoordinatorMessage.assign(new).wireBytes()
        }

        func waitUntilClosed() async -> RPCError { await inner.waitUntilClosed() }

        func close() async { await inner.close() }
    }

    private struct Stream: RPCStream {
        let inner: any RPCStream
        let change: @Sendable ([UInt8]) throws -> [UInt8]

        var method: RPCMethod { inner.method }
        var peer: String { inner.peer }
        var caller: Caller { inner.caller }

        var messages: RPCMessages {
            let iterator = inner.messages
            let change = change
            return RPCMessages {
                var next = iterator.makeAsyncIterator()
                return try await next.next().map(change)
            }
        }

        func send(_ message: [UInt8]) async throws { try await inner.send(message) }

        func finish() async throws { try await inner.finish() }

        func cancel(_ status: RPCError) { inner.cancel(status) }
    }
}
