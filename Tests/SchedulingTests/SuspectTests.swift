import Inference
import TestSupport
import Testing

@testable import Scheduling

/// Requests that make workers fail, and those that are only near.
@Suite struct SuspectTests {
    private func request(_ number: Int, prompt count: Int = 30, maxTokens: Int = 12) -> GenerationRequest {
        let prompt = (0..<Int32(count)).map {
            1 + ($0 &* 7 &+ Int32(number) &* 11) % Int32(ToyModel.vocabularySize - 1)
        }
        return GenerationRequest(
            id: RequestID("r\(number)"), prompt: prompt, maxTokens: maxTokens, seed: 1, ignoreEndOfSequence: true)
    }

    private func cluster(replicas: Int, seed: UInt64 = 1) -> ToyReplicas {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 8), seed: seed)
        for replica in 0..<replicas { cluster.serve(replica, pageCount: 60, stageCount: 2, speed: 1) }
        return cluster
    }

    @Test(arguments: [1, 2, 3], [5, 29, 33]) func `a request that kills is alone at last and ends, the others go on`(
        replicas: Int, position: Int
    ) throws {
        var cluster = cluster(replicas: replicas)
        let tickets = try (0..<6).map { try cluster.submit(request($0)) }
        cluster.poison[tickets[2]] = position
        cluster.finish()
        cluster.checkAll()
        #expect(cluster.crashes.count == 3)
        #expect(cluster.crashes.allSatisfy { $0.contains(tickets[2]) })
        #expect(cluster.crashes.last == [tickets[2]])
        let error = cluster.outcomes[tickets[2]]?.error
        #expect(error?.code == .requestFailed)
        #expect(error?.message.contains("it died") == true)
        #expect(cluster.outcomes.values.count { $0.error != nil } == 1)
        #expect(cluster.router.isIdle)
    }

    @Test func `two that kill end one by one`() throws {
        var cluster = cluster(replicas: 2)
        let tickets = try (0..<6).map { try cluster.submit(request($0)) }
        cluster.poison = [tickets[1]: 31, tickets[4]: 10]
        cluster.finish()
        cluster.checkAll()
        #expect(Set(cluster.outcomes.filter { $1.error != nil }.keys) == [tickets[1], tickets[4]])
        #expect(cluster.crashes.count <= 6)
    }

    @Test func `those that were near two failures are cleared one after the other`() throws {
        var cluster = cluster(replicas: 1)
        let tickets = try (0..<5).map { try cluster.submit(request($0)) }
        for _ in 0..<4 { cluster.step() }
        cluster.send()
        cluster.crash(0)
        #expect(cluster.router.schedulers[0].firstIsolated == nil)
        cluster.send()
        cluster.crash(0)
        let suspects = cluster.crashes[0].intersection(cluster.crashes[1])
        #expect(suspects.count > 1)
        #expect(cluster.router.schedulers[0].firstIsolated == suspects.min())
        // One that comes meanwhile waits; one that its client leaves holds nobody up.
        _ = try cluster.submit(request(9))
        cluster.cancel(try #require(suspects.max()))
        cluster.finish()
        cluster.checkAll()
        #expect(cluster.outcomes.values.allSatisfy { $0.error == nil })
        #expect(cluster.router.schedulers[0].requests.isEmpty && tickets.count == 5)
    }

    @Test func `failures far apart are no reason for isolation`() throws {
        var cluster = cluster(replicas: 1)
        let ticket = try cluster.submit(request(0, maxTokens: 40))
        for _ in 0..<10 {
            for _ in 0..<4 { cluster.step() }
            cluster.send()
            cluster.crash(0)
            #expect(cluster.router.schedulers[0].firstIsolated == nil)
        }
        cluster.finish()
        cluster.checkAll()
        #expect(cluster.outcomes[ticket]?.error == nil)
    }

    @Test(arguments: 0..<60) func `any life with crashes ends rightly for everyone`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var cluster = cluster(replicas: Int.random(in: 1...3, using: &random), seed: seed)
        for _ in 0..<Int.random(in: 50...800, using: &random) {
            switch Int.random(in: 0..<60, using: &random) {
            case 0, 1, 2:
                guard cluster.requests.count < 24 else { break }
                let request = SchedulerPropertyTests.request(&random, number: cluster.requests.count)
                let ticket = try cluster.submit(request)
                if Int.random(in: 0..<4, using: &random) == 0 {
                    cluster.poison[ticket] = Int.random(in: 0..<request.prompt.count + 10, using: &random)
                }
            case 3:
                guard let replica = cluster.pipelines.keys.sorted().randomElement(using: &random) else { break }
                cluster.crash(replica)
            case 4:
                guard let ticket = cluster.requests.keys.sorted().randomElement(using: &random) else { break }
                cluster.cancel(ticket)
            case 5..<20: cluster.send()
            default: cluster.deliver(using: &random)
            }
        }
        cluster.finish()
        cluster.checkAll()
        #expect(cluster.router.isIdle, "seed \(seed)")
        for (ticket, outcome) in cluster.outcomes where outcome.error != nil {
            #expect(outcome.error?.code == .requestFailed, "seed \(seed)")
            // Chance, too, can kill three times in a row.
            #expect(cluster.crashes.count { $0.contains(ticket) } >= 3, "seed \(seed)")
            #expect(cluster.crashes.contains([ticket]), "seed \(seed)")
        }
    }
}
