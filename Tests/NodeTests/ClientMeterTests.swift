import Foundation
import Inference
import Logging
import Scheduling
import TestSupport
import Testing
import Trust

@testable import CoordinatorNode

/// What clients are charged, on a clock of the test's own.
@Suite struct ClientMeterTests {
    private func refusal(_ body: () throws(EngineError) -> Void) -> EngineError? {
        do throws(EngineError) {
            try body()
            return nil
        } catch { return error }
    }

    @Test func `requests come back evenly over a minute`() throws {
        var meter = ClientMeter(ClientLimits(requestsPerMinute: 4), now: 0)
        for _ in 0..<4 { _ = try meter.begin(promptCount: 5, answerLimit: 5, now: 0) }
        #expect(meter.limits?.requests?.remaining == 0)
        let refused = refusal { () throws(EngineError) in
            _ = try meter.begin(promptCount: 5, answerLimit: 5, now: 7500)
        }
        #expect(refused?.code == .overloaded && refused?.retryAfterSeconds == 8)
        #expect(refused?.limits?.requests == RateLimits.Allowance(limit: 4, remaining: 0, resetMilliseconds: 52_500))
        let taken = refusal { () throws(EngineError) in
            _ = try meter.begin(promptCount: 5, answerLimit: 5, now: 15_000)
        }
        #expect(taken == nil)
    }

    @Test func `tokens are reserved, and settled at the end`() throws {
        var meter = ClientMeter(ClientLimits(tokensPerMinute: 1000), now: 0)
        let reserved = try meter.begin(promptCount: 100, answerLimit: 4000, now: 0)
        #expect(reserved == 350, "the prompt and a quarter of a minute")
        #expect(meter.limits?.tokens?.remaining == 650)
        meter.end(reserved: reserved, taken: 110, now: 0)
        #expect(meter.limits?.tokens?.remaining == 890)
        // An answer that was longer is owed.
        let next = try meter.begin(promptCount: 600, answerLimit: 100, now: 0)
        #expect(next == 700)
        meter.end(reserved: next, taken: 1890, now: 0)
        #expect(meter.limits?.tokens?.remaining == 0)
        let refused = refusal { () throws(EngineError) in _ = try meter.begin(promptCount: 50, answerLimit: 0, now: 0) }
        #expect(refused?.retryAfterSeconds == 63, "1000 owed and 50 wanted")
        _ = try meter.begin(promptCount: 50, answerLimit: 0, now: 63_000)
    }

    @Test func `a prompt that no minute allows is refused for good`() {
        var meter = ClientMeter(ClientLimits(tokensPerMinute: 10), now: 0)
        let refused = refusal { () throws(EngineError) in _ = try meter.begin(promptCount: 11, answerLimit: 1, now: 0) }
        #expect(refused?.code == .invalidRequest && refused?.retryAfterSeconds == nil)
    }

    @Test func `so many requests run at a time, and a request that never began costs nothing`() throws {
        var meter = ClientMeter(ClientLimits(requestsPerMinute: 9, concurrentRequests: 1), now: 0)
        let reserved = try meter.begin(promptCount: 5, answerLimit: 5, now: 0)
        #expect(
            refusal { () throws(EngineError) in
                _ = try meter.begin(promptCount: 5, answerLimit: 5, now: 0)
            }?.code == .overloaded)
        meter.undo(reserved: reserved, now: 0)
        #expect(meter.limits?.requests?.remaining == 9 && meter.runningCount == 0)
    }

    @Test func `a client is known by its key and charged for what its requests take`() throws {
        let folder = try TemporaryDirectory()
        let directory = ClientKeyDirectory(path: folder.url.appendingPathComponent("keys").path)
        var desk = ClientDesk(directory, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var request = GenerationRequest(id: RequestID("r"), prompt: [1, 2, 3], maxTokens: 5, client: "user eve")
        let free = try desk.admit(&request, contextLength: 64, now: 0)
        #expect(free == nil)
        #expect(request.client == "user eve")

        let key = try directory.create("alice", limits: ClientLimits(tokensPerMinute: 100, concurrentRequests: 1))
        #expect(refusal { () throws(EngineError) in _ = try desk.client(nil) }?.code == .unauthenticated)
        request.key = KeyHash(Array(repeating: 7, count: 32))
        #expect(
            refusal { () throws(EngineError) in
                _ = try desk.admit(&request, contextLength: 64, now: 0)
            }?.code == .unauthenticated)
        request.key = directory.keys().keys.first.flatMap { KeyHash($0.hash) }
        let admitted = try desk.admit(&request, contextLength: 64, now: 0)
        let charge = try #require(admitted)
        #expect(request.client == "key alice" && charge.limits?.tokens?.remaining == 92)
        #expect(!request.client.contains(key))

        let ticket = RequestTicket(1)
        desk.open(ticket, charge)
        let token = ScoredToken(token: 1, logprob: 0, top: [])
        desk.note(.event(ticket, .token(choice: 0, token)), now: 0)
        #expect(
            refusal { () throws(EngineError) in
                _ = try desk.admit(&request, contextLength: 64, now: 0)
            }?.code == .overloaded)
        desk.note(.failed(ticket, EngineError(code: .unavailable, message: "x")), now: 0)
        let next = try desk.admit(&request, contextLength: 64, now: 0)
        #expect(next?.limits?.tokens?.remaining == 88, "four were taken, eight are reserved")
        try directory.revoke("alice")
        #expect(refusal { () throws(EngineError) in _ = try desk.client(request.key) }?.code == .unauthenticated)
        withExtendedLifetime(folder) {}
    }
}
