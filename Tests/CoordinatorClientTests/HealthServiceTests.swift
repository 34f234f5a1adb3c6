import CoordinatorClient
import Synchronization
import Testing
import Transport
import Wire

@Suite struct HealthServiceTests {
    private final class Switch: Sendable {
        let isOn = Mutex(true)
    }

    private func connect(
        _ state: Switch
    ) async throws -> (any RPCListener, any RPCConnection) {
        let transport = LocalTransport()
        let handlers = HealthService.handlers(services: ["phalanx.v1.Engine"]) { state.isOn.withLock { $0 } }
        let listener = try await transport.listen(host: "node", port: 1, handlers: handlers)
        return (listener, try await transport.connect(host: "node", port: 1, timeout: .seconds(5)))
    }

    private func code(_ body: () async throws -> Void) async -> RPCError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? RPCError)?.code
        }
    }

    @Test func `Check answers for the node and its services, NOT_FOUND for others`() async throws {
        let state = Switch()
        let (listener, connection) = try await connect(state)
        try await HealthService.check(connection, timeout: .seconds(5))
        try await HealthService.check(connection, service: "phalanx.v1.Engine", timeout: .seconds(5))
        let unknown = await code {
            try await HealthService.check(connection, service: "other", timeout: .seconds(5))
        }
        #expect(unknown == .notFound)
        state.isOn.withLock { $0 = false }
        #expect(await code { try await HealthService.check(connection, timeout: .seconds(5)) } == .unavailable)
        await listener.shutdown(grace: .zero)
    }

    @Test func `a question that is none is INVALID_ARGUMENT`() async throws {
        let (listener, connection) = try await connect(Switch())
        let nonsense = await code {
            _ = try await connection.unary(Services.healthCheck, [10, 200, 1], timeout: .seconds(5))
        }
        #expect(nonsense == .invalidArgument)
        let silent = await code {
            let stream = try await connection.call(Services.healthCheck, timeout: .seconds(5))
            try await stream.finish()
            for try await _ in stream.messages {}
        }
        #expect(silent == .invalidArgument)
        await listener.shutdown(grace: .zero)
    }

    @Test func `Watch tells every change, and SERVICE_UNKNOWN for strangers`() async throws {
        let state = Switch()
        let (listener, connection) = try await connect(state)
        let stream = try await connection.call(Services.healthWatch, timeout: nil)
        try await stream.send(HealthCheckRequest(service: "").wireBytes())
        try await stream.finish()
        var iterator = stream.messages.makeAsyncIterator()
        #expect(try await iterator.next() == HealthCheckResponse(status: .serving).wireBytes())
        state.isOn.withLock { $0 = false }
        #expect(try await iterator.next() == HealthCheckResponse(status: .notServing).wireBytes())
        state.isOn.withLock { $0 = true }
        #expect(try await iterator.next() == HealthCheckResponse(status: .serving).wireBytes())
        let other = try await connection.call(Services.healthWatch, timeout: nil)
        try await other.send(HealthCheckRequest(service: "other").wireBytes())
        var answers = other.messages.makeAsyncIterator()
        #expect(try await answers.next() == HealthCheckResponse(status: .serviceUnknown).wireBytes())
        stream.cancel(RPCError(.cancelled, "enough"))
        other.cancel(RPCError(.cancelled, "enough"))
        await listener.shutdown(grace: .zero)
    }
}
