import Inference
import TestSupport
import Testing

@testable import Scheduling

/// Requests over several replicas.
@Suite struct RouterTests {
    private static func prompt(_ count: Int, kind: Int32 = 0) -> [Int32] {
        (0..<Int32(count)).map { 1 + ($0 &* 7 &+ kind &* 11) % Int32(ToyModel.vocabularySize - 1) }
    }

    private func request(_ name: String, prompt: [Int32], maxTokens: Int = 8) -> GenerationRequest {
        GenerationRequest(
            id: RequestID(name), prompt: prompt, maxTokens: maxTokens, seed: 1, ignoreEndOfSequence: true)
    }

    /// Where each live request is.
    private func homes(_ cluster: ToyReplicas) -> [RequestTicket: Int] {
        var homes: [RequestTicket: Int] = [:]
        for (replica, scheduler) in cluster.router.schedulers.enumerated() {
            for ticket in scheduler.requests.keys {
                #expect(homes.updateValue(replica, forKey: ticket) == nil, "\(ticket) is in two replicas")
            }
        }
        return homes
    }

    @Test func `requests go to idle replicas, to the faster one first`() throws {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 8), seed: 1)
        cluster.serve(0, pageCount: 40, stageCount: 1, speed: 1)
        cluster.serve(1, pageCount: 40, stageCount: 1, speed: 3)
        for number in 0..<8 {
            _ = try cluster.submit(request("r\(number)", prompt: Self.prompt(20, kind: Int32(number))))
        }
        let counts = cluster.router.schedulers.map(\.requests.count)
        #expect(counts == [2, 6])
        cluster.finish()
        cluster.checkAll()
    }

    @Test func `a request goes where its prefix is, unless the queue there is too long`() throws {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 4), seed: 2)
        for replica in 0..<3 { cluster.serve(replica, pageCount: 60, stageCount: 1, speed: 1) }
        // One prefix for each replica.
        for kind in 0..<3 {
            _ = try cluster.submit(request("first-\(kind)", prompt: Self.prompt(200, kind: Int32(kind))))
        }
        #expect(Set(homes(cluster).values) == [0, 1, 2])
        let prefixHomes = homes(cluster).sorted { $0.key < $1.key }.map(\.value)
        cluster.finish()
        for kind in [2, 0, 1] {
            let ticket = try cluster.submit(request("again", prompt: Self.prompt(200, kind: Int32(kind)) + [5, 6]))
            #expect(homes(cluster)[ticket] == prefixHomes[kind])
            cluster.finish()
            #expect(cluster.outcomes[ticket]?.usage?.cachedTokenCount == 192)
        }
        // 192 tokens are found in the cache; more than that is before it.
        for number in 0..<2 {
            let other = try cluster.submit(
                request("busy-\(number)", prompt: Self.prompt(100) + [7, 8], maxTokens: 120))
            if number == 0 { #expect(homes(cluster)[other] == prefixHomes[0]) }
        }
        let late = try cluster.submit(request("late", prompt: Self.prompt(66), maxTokens: 8))
        #expect(homes(cluster)[late] != prefixHomes[0])
        cluster.finish()
        cluster.checkAll()
    }

    @Test func `waiting requests spread when a replica joins, running ones stay`() throws {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 2), seed: 3)
        cluster.serve(0, pageCount: 40, stageCount: 1, speed: 1)
        let tickets = try (0..<8).map {
            try cluster.submit(request("r\($0)", prompt: Self.prompt(30, kind: Int32($0)), maxTokens: 40))
        }
        cluster.send()
        #expect(cluster.router.runningRequestCount == 2)
        cluster.serve(1, pageCount: 40, stageCount: 1, speed: 1)
        let homes = homes(cluster)
        #expect(tickets.prefix(2).allSatisfy { homes[$0] == 0 })
        #expect(homes.values.filter { $0 == 1 }.count == 4)
        cluster.finish()
        cluster.checkAll()
        #expect(cluster.computedRowCount == 8 * (30 + 39), "nothing was computed twice")
    }

    @Test func `a replica that has finished takes from the queue of another`() throws {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 1), seed: 4)
        cluster.serve(0, pageCount: 40, stageCount: 1, speed: 1)
        cluster.serve(1, pageCount: 40, stageCount: 1, speed: 1)
        // Long answers for one, short ones for the other.
        let tickets = try (0..<8).map {
            try cluster.submit(
                request("r\($0)", prompt: Self.prompt(30, kind: Int32($0)), maxTokens: $0.isMultiple(of: 2) ? 200 : 198)
            )
        }
        for ticket in tickets where homes(cluster)[ticket] == 1 { cluster.cancel(ticket) }
        let left = homes(cluster).count
        #expect(left == 4 && Set(homes(cluster).values) == [0])
        cluster.send()
        #expect(Set(homes(cluster).values) == [0, 1])
        cluster.finish()
        cluster.checkAll()
    }

    @Test func `the bound of waiting requests is one for all replicas`() throws {
        var configuration = SchedulerPropertyTests.configuration(running: 1)
        configuration.waitingRequestLimit = 3
        var cluster = ToyReplicas(configuration, seed: 5)
        cluster.serve(0, pageCount: 40, stageCount: 1, speed: 1)
        cluster.serve(1, pageCount: 40, stageCount: 1, speed: 1)
        for number in 0..<5 {
            _ = try cluster.submit(request("r\(number)", prompt: Self.prompt(20)))
            cluster.send()
        }
        #expect(cluster.router.runningRequestCount == 2 && cluster.router.waitingRequestCount == 3)
        #expect {
            _ = try cluster.submit(request("more", prompt: Self.prompt(20)))
        } throws: { error in
            guard let error = error as? EngineError else { return false }
            return error.code == .overloaded && error.retryAfterSeconds ?? 0 > 0
        }
        cluster.finish()
        cluster.checkAll()
    }

    @Test func `requests without any replica wait and go on with the next one`() throws {
        var cluster = ToyReplicas(SchedulerPropertyTests.configuration(running: 4), seed: 6)
        let early = try cluster.submit(request("early", prompt: Self.prompt(50)))
        cluster.serve(0, pageCount: 40, stageCount: 2, speed: 1)
        cluster.serve(1, pageCount: 40, stageCount: 2, speed: 1)
        let other = try cluster.submit(request("other", prompt: Self.prompt(50, kind: 3), maxTokens: 30))
        for _ in 0..<6 { cluster.step() }
        cluster.suspend(0)
        cluster.suspend(1)
        #expect(cluster.outcomes[early]?.usage == nil && cluster.outcomes[other]?.usage == nil)
        #expect(homes(cluster).count == 2)
        cluster.serve(1, pageCount: 40, stageCount: 1, speed: 1)
        #expect(Set(homes(cluster).values) == [1])
        cluster.finish()
        cluster.checkAll()
    }

    @Test(arguments: 0..<200)
    func `a random life of replicas gives every request the tokens it gets alone`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let configuration = SchedulerPropertyTests.configuration(
            chunk: [1, 7, 64, 300].randomElement(using: &random)!, running: Int.random(in: 1...6, using: &random),
            original: Bool.random(using: &random) ? nil : Int.random(in: 1...300, using: &random))
        var cluster = ToyReplicas(configuration, seed: seed)
        func serve(_ replica: Int) {
            cluster.serve(
                replica, pageCount: Int.random(in: 5...20, using: &random),
                stageCount: Int.random(in: 1...4, using: &random), speed: Double.random(in: 0.5...4, using: &random))
        }
        serve(0)
        for _ in 0..<Int.random(in: 50...1500, using: &random) {
            switch Int.random(in: 0..<60, using: &random) {
            case 0, 1, 2:
                guard cluster.requests.count < 24 else { break }
                _ = try cluster.submit(SchedulerPropertyTests.request(&random, number: cluster.requests.count))
            case 3: serve(Int.random(in: 0..<4, using: &random))
            case 4:
                guard let replica = cluster.pipelines.keys.randomElement(using: &random) else { break }
                cluster.suspend(replica)
            case 5:
                guard let ticket = cluster.requests.keys.randomElement(using: &random) else { break }
                cluster.cancel(ticket)
            case 6..<20: cluster.send()
            default: cluster.deliver(using: &random)
            }
            _ = homes(cluster)
        }
        if cluster.pipelines.isEmpty { serve(2) }
        cluster.finish()
        cluster.checkAll()
        #expect(homes(cluster).isEmpty && cluster.router.isIdle, "seed \(seed)")
        #expect(cluster.router.completedRequestCount == cluster.requests.count, "seed \(seed)")
        for (replica, pipeline) in cluster.pipelines {
            #expect(pipeline.problems == [] && pipeline.liveSequences == [], "seed \(seed)")
            let scheduler = cluster.router.schedulers[replica]
            #expect(scheduler.freePageCount == scheduler.pageCount, "seed \(seed)")
        }
    }
}
