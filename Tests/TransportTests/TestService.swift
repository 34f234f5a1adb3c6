import Synchronization
import Transport

/// Methods to test with.
enum TestService {
    /// Sends back each message as it comes.
    static let echo = RPCMethod(service: "phalanx.test.Test", name: "Echo")
    /// Sends as many messages of 1000 bytes as the one byte that it is sent says.
    static let count = RPCMethod(service: "phalanx.test.Test", name: "Count")
    /// Takes messages and answers their total of bytes in decimal.
    static let total = RPCMethod(service: "phalanx.test.Test", name: "Total")
    /// Fails with a status whose message needs encoding.
    static let fail = RPCMethod(service: "phalanx.test.Test", name: "Fail")
    /// Throws something that is not a status.
    static let crash = RPCMethod(service: "phalanx.test.Test", name: "Crash")
    /// Reads everything and never answers.
    static let hang = RPCMethod(service: "phalanx.test.Test", name: "Hang")
    /// Answers one message and ends without reading anything.
    static let early = RPCMethod(service: "phalanx.test.Test", name: "Early")

    struct Oops: Error {}

    static let handlers: [RPCMethod: RPCHandler] = [
        echo: { stream in
            for try await message in stream.messages { try await stream.send(message) }
        },
        count: { stream in
            var count = 0
            for try await message in stream.messages { count = Int(message.first ?? 0) }
            for index in 0..<count { try await stream.send([UInt8](repeating: UInt8(index), count: 1000)) }
        },
        total: totalHandler,
        Services.forward: totalHandler,
        fail: { _ in throw RPCError(.dataLoss, "100 % of läyer 7 is lost\n") },
        crash: { _ in throw Oops() },
        hang: { stream in
            for try await _ in stream.messages {}
            try await Task.sleep(for: .seconds(3600))
        },
        early: { stream in
            try await stream.send([1])
        },
    ]

    private static let totalHandler: RPCHandler = { stream in
        var total = 0
        for try await message in stream.messages { total += message.count }
        try await stream.send(Array(String(total).utf8))
    }
}

/// Something that one task tells another once.
final class Signal<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func send(_ value: Value) { continuation.yield(value) }

    func wait() async -> Value? {
        for await value in stream { return value }
        return nil
    }
}

/// The status that `body` throws.
func status(_ body: () async throws -> Void) async -> RPCError? {
    do {
        try await body()
        return nil
    } catch let error as RPCError {
        return error
    } catch {
        return RPCError(.unknown, "not a status: \(error)")
    }
}
