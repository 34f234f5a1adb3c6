public import Inference
public import Transport
import Wire

/// Taking a worker out of service, for people: the coordinator's side.
public enum DrainService {
    /// - Parameter drain: begins it; throws `RPCError` with what stands against it.
    public static func handlers(_ drain: @escaping @Sendable (NodeID) async throws -> Void) -> [RPCMethod: RPCHandler] {
        [
            Services.drain: { stream in
                let request = try await EngineService.question(DrainRequest.self, stream)
                try await drain(NodeID(request.node))
                try await stream.send(EmptyMessage().wireBytes())
            }
        ]
    }
}

extension RemoteEngine {
    /// Has a worker's layers go to others, after which it is told to end; `status` tells how far that is.
    ///
    /// Throws `EngineError`: `invalidRequest` when there is no such worker or nothing goes without it.
    public func drain(_ node: NodeID) async throws {
        _ = try await ask { connection in
            try await connection.unary(
                Services.drain, DrainRequest(node: node.rawValue).wireBytes(), timeout: Self.answerTimeout)
        }
    }
}
