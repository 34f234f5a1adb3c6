import Inference
import TestSupport
import Testing

@testable import Scheduling

/// Who comes before whom: priorities, and clients that share.
@Suite struct FairnessTests {
    private func cluster(
        paced: Int? = nil, running: Int = 1, stageCount: Int = 1, pageCount: Int = 40
    ) -> ToyCluster {
        ToyCluster(
            SchedulerPropertyTests.configuration(chunk: 64, paced: paced, running: running), pageCount: pageCount,
            stageCount: stageCount, seed: 1)
    }

    /// Prompts of different kinds share no prefix.
    private func request(
        _ kind: Int32, of client: String = "", promptCount: Int = 20, maxTokens: Int = 4, priority: Int = 0,
        salt: String? = nil
    ) -> GenerationRequest {
        GenerationRequest(
            id: RequestID("r"), prompt: (0..<promptCount).map { 1 + (Int32($0) + kind) % 49 }, maxTokens: maxTokens,
            seed: 9, ignoreEndOfSequence: true, client: client, priority: priority, cacheSalt: salt)
    }

    /// Runs to the end and returns the sequences in the order in which they began.
    private func beginnings(_ cluster: inout ToyCluster) -> [UInt64] {
        var order: [UInt64] = []
        while let step = cluster.scheduler.nextStep(now: cluster.now) {
            order += step.admissions.map(\.sequence.rawValue)
            cluster.run(step, now: cluster.now)
        }
        cluster.collect()
        return order
    }

    @Test func `clients take turns, however many requests one of them brings`() throws {
        var cluster = cluster()
        for kind in 0..<6 { _ = try cluster.submit(request(Int32(kind), of: "many")) }
        for kind in 6..<8 { _ = try cluster.submit(request(Int32(kind), of: "few")) }
        #expect(beginnings(&cluster) == [0, 6, 1, 7, 2, 3, 4, 5])
        for ticket in cluster.outcomes.keys { cluster.check(ticket, seed: 0) }
    }

    @Test func `what counts is the work, not the number of requests`() throws {
        var cluster = cluster()
        for kind in 0..<3 { _ = try cluster.submit(request(Int32(kind), of: "long", promptCount: 90)) }
        for kind in 3..<9 { _ = try cluster.submit(request(Int32(kind), of: "short", promptCount: 30)) }
        // 96 for a long one, 36 for a short one, the answers included.
        #expect(beginnings(&cluster) == [0, 3, 4, 5, 1, 6, 7, 8, 2])
    }

    @Test func `places are shared before anything is computed`() throws {
        var cluster = cluster(running: 4)
        for kind in 0..<8 { _ = try cluster.submit(request(Int32(kind), of: "many")) }
        for kind in 8..<10 { _ = try cluster.submit(request(Int32(kind), of: "few")) }
        let step = try cluster.nextStep(now: 0)
        #expect(Set(cluster.scheduler.running.map(\.rawValue)) == [0, 8, 1, 9])
        cluster.run(step, now: 0)
        cluster.finish()
        for ticket in cluster.outcomes.keys { cluster.check(ticket, seed: 0) }
    }

    @Test func `another's short prompt does not wait for a client's long ones`() throws {
        var cluster = cluster(paced: 16, running: 24, pageCount: 200)
        let decoding = try cluster.submit(request(0, of: "streaming", promptCount: 5, maxTokens: 200))
        cluster.send()
        _ = cluster.deliver()
        let long = try (1..<21).map { try cluster.submit(request(Int32($0), of: "many", promptCount: 250)) }
        for _ in 0..<10 {
            cluster.send()
            _ = cluster.deliver()
        }
        let short = try cluster.submit(request(30, of: "one", promptCount: 12, maxTokens: 1))
        var stepCount = 0
        while cluster.outcomes[short]?.usage == nil {
            cluster.send()
            _ = cluster.deliver()
            stepCount += 1
            try #require(stepCount <= 300)
        }
        #expect(stepCount <= 3)
        cluster.finish()
        for ticket in long + [decoding, short] { cluster.check(ticket, seed: 0) }
    }

    @Test func `who idles saves nothing up`() throws {
        var cluster = cluster()
        _ = try cluster.submit(request(0, of: "first"))
        cluster.finish()
        for kind in 1..<10 { _ = try cluster.submit(request(Int32(kind), of: "busy")) }
        _ = beginnings(&cluster)
        for kind in 10..<13 { _ = try cluster.submit(request(Int32(kind), of: "busy")) }
        for kind in 13..<16 { _ = try cluster.submit(request(Int32(kind), of: "first")) }
        #expect(beginnings(&cluster) == [10, 13, 11, 14, 12, 15])
    }

    @Test func `nobody starves behind clients that keep coming`() throws {
        var cluster = cluster()
        let other = try cluster.submit(request(0, of: "other", promptCount: 10))
        let first = try cluster.submit(request(1, of: "patient", promptCount: 200))
        let second = try cluster.submit(request(2, of: "patient", promptCount: 200))
        var newcomers: [RequestTicket] = []
        while cluster.outcomes[second]?.usage == nil {
            // Whenever one has come to its end, another waits.
            while cluster.scheduler.waitingRequestCount < 20 {
                newcomers.append(
                    try cluster.submit(request(Int32(newcomers.count), of: "new \(newcomers.count)")))
            }
            let endedCount = cluster.outcomes.values.count { $0.usage != nil }
            while cluster.outcomes.values.count(where: { $0.usage != nil }) == endedCount {
                cluster.send()
                _ = cluster.deliver()
            }
            try #require(newcomers.count < 300, "the second request of a client waits for ever")
        }
        #expect(newcomers.contains { cluster.outcomes[$0]?.usage == nil })
        for ticket in [other, first, second] { cluster.check(ticket, seed: 0) }
        #expect(cluster.scheduler.shares.clientCount <= newcomers.count + 2)
        cluster.finish()
    }

    @Test func `clients that have gone are forgotten`() throws {
        var shares = ClientShares()
        for round in 0..<3000 {
            shares.join("always")
            shares.join("client \(round)")
            shares.charge("client \(round)", 10)
            shares.leave("client \(round)")
            shares.leave("always")
        }
        #expect(shares.clientCount <= ClientShares.idleLimit)
    }

    @Test func `lower priorities come later, whoever asks`() throws {
        var cluster = cluster()
        let priorities = [0, 5, 0, -2, 5, -2]
        for (kind, priority) in priorities.enumerated() {
            _ = try cluster.submit(request(Int32(kind), of: kind < 3 ? "a" : "b", priority: priority))
        }
        #expect(beginnings(&cluster) == [3, 5, 0, 2, 1, 4])
    }

    @Test func `when pages run out the lowest priority is put back`() throws {
        var cluster = cluster(running: 3, pageCount: 5)
        let low = try cluster.submit(request(0, promptCount: 40, maxTokens: 160, priority: 3))
        cluster.send()
        _ = cluster.deliver()
        let high = try (1..<3).map { try cluster.submit(request(Int32($0), promptCount: 40, maxTokens: 80)) }
        var putBack: Set<UInt64> = []
        var seen: Set<SequenceID> = [SequenceID(0)]
        while let step = cluster.scheduler.nextStep(now: 0) {
            for admission in step.admissions where !seen.insert(admission.sequence).inserted {
                putBack.insert(admission.sequence.rawValue)
            }
            cluster.run(step, now: 0)
        }
        cluster.collect()
        #expect(cluster.scheduler.preemptionCount > 0)
        #expect(putBack == [0], "though it is the oldest")
        for ticket in high + [low] { cluster.check(ticket, seed: 0) }
    }

    @Test func `only requests with the same salt share a prefix`() throws {
        var cluster = cluster()
        func cachedCount(salt: String?) throws -> Int? {
            let ticket = try cluster.submit(request(0, promptCount: 200, salt: salt))
            cluster.finish()
            cluster.check(ticket, seed: 0)
            return cluster.outcomes[ticket]?.usage?.cachedTokenCount
        }
        #expect(try cachedCount(salt: nil) == 0)
        #expect(try cachedCount(salt: "a") == 0)
        #expect(try cachedCount(salt: "b") == 0)
        #expect(try [nil, "a", "b"].map(cachedCount) == [192, 192, 192])
    }

    @Test func `prompts that come together share with their salt alone`() throws {
        var cluster = cluster(running: 8)
        let tickets = try ["a", "b", "a", "b"].map { salt in
            try cluster.submit(request(0, promptCount: 130, salt: salt))
        }
        cluster.finish()
        #expect(cluster.pipeline.computedRowCount == 2 * 128 + 4 * (2 + 3))
        for ticket in tickets { cluster.check(ticket, seed: 0) }
    }

    @Test func `a head that lacks pages is not looked at again before something changes`() throws {
        var cluster = cluster(running: 4, pageCount: 5)
        let running = try cluster.submit(request(0, promptCount: 150, maxTokens: 60))
        let blocked = try cluster.submit(request(1, promptCount: 190, maxTokens: 60))
        for _ in 0..<10 {
            cluster.send()
            _ = cluster.deliver()
        }
        #expect(cluster.scheduler.running.count == 1)
        let version = cluster.scheduler.blockedPageVersion
        #expect(version == cluster.scheduler.pages.version)
        for _ in 0..<20 {
            cluster.send()
            _ = cluster.deliver()
        }
        #expect(cluster.scheduler.blockedPageVersion == version, "20 tokens within a page change nothing")
        cluster.finish()
        for ticket in [running, blocked] { cluster.check(ticket, seed: 0) }
    }

    @Test func `a full queue takes a request of each client that has none in it`() throws {
        var configuration = SchedulerPropertyTests.configuration()
        configuration.waitingRequestLimit = 2
        var cluster = ToyCluster(configuration, pageCount: 5, stageCount: 1, seed: 1)
        for kind in 0..<3 { _ = try cluster.submit(request(Int32(kind), of: "many")) }
        func isRefused(_ client: String) -> Bool {
            do {
                _ = try cluster.submit(request(9, of: client))
                return false
            } catch {
                return (error as? EngineError)?.code == .overloaded
            }
        }
        #expect(isRefused("many"))
        #expect(!isRefused("one") && isRefused("one") && !isRefused("two"))
        #expect(isRefused("three"), "twice the limit wait")
        cluster.finish()
        #expect(cluster.scheduler.completedRequestCount == 5)
    }

    @Test func `what the scheduler does is counted`() throws {
        var cluster = cluster(running: 4)
        let first = try cluster.submit(request(0, promptCount: 200))
        cluster.send()
        #expect(cluster.scheduler.activity.usedPageCount == 2, "two chunks of a page each are on their way")
        cluster.finish()
        let second = try cluster.submit(request(0, promptCount: 200))
        cluster.finish()
        for ticket in [first, second] { cluster.check(ticket, seed: 0) }
        let activity = cluster.scheduler.activity
        #expect(activity.pageCount == 40 && activity.usedPageCount == 0 && activity.cachedPageCount == 3)
        #expect(activity.lookedUpTokenCount == 400 && activity.hitTokenCount == 192)
        #expect(activity.stepCount == cluster.pipeline.stepCount)
        #expect(activity.rowCount == cluster.pipeline.computedRowCount)
        #expect(activity.preemptionCount == 0 && activity.microBatchCount == 1)
    }
}
