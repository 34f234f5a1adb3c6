import Inference
import Scheduling
import Testing

@testable import Simulator

/// What a request gets, held against what it must get.
@Suite struct RequestLedgerTests {
    static let ticket = RequestTicket(1)

    private static func request(maxTokens: Int = 3) -> GenerationRequest {
        GenerationRequest(id: RequestID("1"), prompt: [1, 2, 3], maxTokens: maxTokens, seed: 5)
    }

    private static func ledger() -> (RequestLedger, [SchedulerEvent]) {
        let configuration = SchedulerConfiguration(
            contextLength: 100_000, vocabularySize: 50, endOfSequenceTokens: [], maxRowCount: 8,
            runningSequenceLimit: 2)
        var ledger = RequestLedger(configuration: configuration)
        ledger.add(request(), ticket, number: 7, askedMilliseconds: 0)
        var answer = ExpectedAnswer(request(), choice: 0, configuration: configuration)
        var events: [SchedulerEvent] = []
        while let token = answer.next() { events.append(Self.token(token)) }
        let usage = GenerationUsage(
            promptTokenCount: 3, cachedTokenCount: 0, completionTokenCount: 3, queueMilliseconds: 0,
            prefillMilliseconds: 0, decodeMilliseconds: 0)
        events += [.event(ticket, .finished(choice: 0, .length)), .event(ticket, .completed(usage))]
        return (ledger, events)
    }

    private static func token(_ token: Int32) -> SchedulerEvent {
        .event(ticket, .token(choice: 0, ScoredToken(token: token, logprob: 0, top: [])))
    }

    /// Records the events of a right answer, changed.
    private static func record(_ change: (inout [SchedulerEvent]) -> Void) throws -> [Int] {
        var (ledger, events) = ledger()
        change(&events)
        return try events.enumerated().compactMap { try ledger.record($0.element, now: Double($0.offset)) }
    }

    @Test func `a right answer ends with its request's number`() throws {
        let ended = try Self.record { _ in }
        #expect(ended == [7])
    }

    @Test func `every wrong course of events is found`() throws {
        let courses: [(String, (inout [SchedulerEvent]) -> Void)] = [
            ("instead of", { $0.insert($0[1], at: 1) }),
            ("instead of", { $0.remove(at: 0) }),
            ("which are not all", { $0.remove(at: 2) }),
            ("after the end", { $0.insert($0[0], at: 3) }),
            ("none or over", { $0.insert($0[0], at: 4) }),
            ("ends twice", { $0.insert($0[3], at: 3) }),
            ("before all of its choices", { $0.remove(at: 3) }),
            ("after the request's end", { $0.append($0[0]) }),
            ("which are not all", { $0[3] = .event(Self.ticket, .finished(choice: 0, .stop)) }),
            ("failed", { $0[1] = .failed(Self.ticket, EngineError(code: .internal, message: "boom")) }),
        ]
        for (words, change) in courses {
            let breach = #expect(throws: Breach.self) { _ = try Self.record(change) }
            #expect(breach?.description.contains(words) == true, "\(breach?.description ?? "") lacks \(words)")
        }
    }

    @Test func `who waits while others are served again and again starves`() throws {
        var (ledger, _) = Self.ledger()
        let configuration = ledger.configuration
        let breach = #expect(throws: Breach.self) {
            for number in 2..<1000 {
                let ticket = RequestTicket(UInt64(number))
                let request = Self.request(maxTokens: 20)
                ledger.add(request, ticket, number: number, askedMilliseconds: 0)
                var answer = ExpectedAnswer(request, choice: 0, configuration: configuration)
                while let token = answer.next() {
                    let event = GenerationEvent.token(choice: 0, ScoredToken(token: token, logprob: 0, top: []))
                    _ = try ledger.record(.event(ticket, event), now: 0)
                }
                _ = try ledger.record(.event(ticket, .finished(choice: 0, .length)), now: 0)
                let usage = GenerationUsage(
                    promptTokenCount: 3, cachedTokenCount: 0, completionTokenCount: 20, queueMilliseconds: 0,
                    prefillMilliseconds: 0, decodeMilliseconds: 0)
                _ = try ledger.record(.event(ticket, .completed(usage)), now: 0)
            }
        }
        #expect(breach?.description.contains("request 7 starves") == true, "\(breach?.description ?? "")")
    }
}
