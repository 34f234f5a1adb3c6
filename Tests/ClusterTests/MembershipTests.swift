import Inference
import Testing

@testable import Cluster

@Suite struct MembershipTests {
    /// A membership table and the messages that it sent, per stream.
    private struct Table {
        var membership: Membership
        var now = 0.0

        init(workers: Int, layers: Int = 6, split: [Int]? = nil, replicas: Int? = nil, term: UInt64 = 3) {
            let model = ModelFootprint(
                layerByteCounts: Array(repeating: 1000, count: layers), embeddingByteCount: 0, headByteCount: 0,
                kvBytesPerPagePerLayer: 10)
            membership = Membership(
                configuration: ClusterConfiguration(
                    model: model, modelPath: "/models/m.gguf", modelFingerprint: "f", kvType: .f16, pageCount: 4,
                    maxRowCount: 64, vocabularyLimit: 100, numericsVersion: 1, minimumWorkerCount: workers,
                    layerCounts: split, replicaCount: replicas, heartbeatMilliseconds: 100, silenceMilliseconds: 1000),
                term: term)
        }

        mutating func handle(_ event: ClusterEvent) -> [ClusterDirective] { membership.handle(event, now: now) }

        mutating func hello(
            _ number: UInt64, name: String? = nil, epoch: Epoch = Epoch(term: 0, plan: 0), memory: Int = 1 << 30,
            protocolVersion: UInt32 = ProtocolVersion.current, numerics: UInt32 = 1, process: Int = 1, port: Int? = nil
        ) -> [ClusterDirective] {
            let hello = WorkerHello(
                protocolVersion: protocolVersion, numericsVersion: numerics, node: NodeID(name ?? "w\(number)"),
                host: "127.0.0.1", port: port ?? 7000 + Int(number), processID: process, threadCount: 1,
                memoryByteCount: memory,
                bytesPerSecond: 1e9, highestEpoch: epoch, instructionSet: "scalar")
            return handle(.message(ControlStreamID(number), .hello(hello)))
        }

        mutating func ready(_ number: UInt64, _ epoch: Epoch? = nil) -> [ClusterDirective] {
            handle(.message(ControlStreamID(number), .ready(epoch: epoch ?? membership.epoch, memoryByteCount: 5)))
        }

        mutating func beat(_ number: UInt64) -> [ClusterDirective] {
            let beat = Heartbeat(
                epoch: membership.epoch, finishedStepCount: 1, layer: nil, computedRowCount: 10,
                busyMicroseconds: 500_000, nextLinkUp: true,
                recent: StageActivity(
                    windowMicroseconds: 10_000_000, busyMicroseconds: 6_000_000, bubbleMicroseconds: 2_500_000))
            return handle(.message(ControlStreamID(number), .heartbeat(beat)))
        }
    }

    private func assignments(_ directives: [ClusterDirective]) -> [UInt64: StageAssignment] {
        var found: [UInt64: StageAssignment] = [:]
        for case .send(let stream, .assign(let assignment)) in directives { found[stream.rawValue] = assignment }
        return found
    }

    private func serves(_ directives: [ClusterDirective]) -> (Epoch, ControlStreamID)? {
        for case .serve(let replica, let stage0) in directives { return (replica.epoch, stage0) }
        return nil
    }

    private func isSuspended(_ directives: [ClusterDirective]) -> Bool {
        directives.contains {
            if case .suspend = $0 { true } else { false }
        }
    }

    private func isRefused(_ directives: [ClusterDirective]) -> Bool {
        directives.contains {
            if case .send(_, .refused) = $0 { true } else { false }
        }
    }

    @Test func `a second process of the same name is refused and the first one stays`() {
        var table = Table(workers: 1)
        #expect(!isRefused(table.hello(1, name: "x", process: 10)))
        let epoch = table.membership.epoch
        #expect(isRefused(table.hello(2, name: "x", process: 11)))
        #expect(table.membership.epoch == epoch)
        #expect(table.membership.node(of: ControlStreamID(1)) == NodeID("x"))
        // The same process again, on a new connection.
        #expect(!isRefused(table.hello(3, name: "x", process: 10)))
    }

    @Test func `the peers to fetch weights from are the next ones, a few, and never oneself`() {
        var table = Table(workers: 6)
        for number in 1...5 { _ = table.hello(UInt64(number)) }
        let plan = assignments(table.hello(6))
        #expect(plan[1]?.peers.map(\.node.rawValue) == ["w2", "w3", "w4", "w5"])
        #expect(plan[4]?.peers.map(\.node.rawValue) == ["w5", "w6", "w1", "w2"])
    }

    @Test func `a worker that nobody could dial is refused`() {
        var table = Table(workers: 1)
        #expect(isRefused(table.hello(1, port: 0)))
        #expect(table.membership.node(of: ControlStreamID(1)) == nil)
    }

    @Test func `a plan is made when enough workers joined and served when all are ready`() throws {
        var table = Table(workers: 2)
        let first = table.hello(1)
        #expect(
            first.contains(
                .send(ControlStreamID(1), .welcome(epoch: Epoch(term: 3, plan: 0), heartbeatMilliseconds: 100))))
        #expect(assignments(first).isEmpty)
        guard case .waiting(let reason) = table.membership.phase else {
            Issue.record("one worker is not enough")
            return
        }
        #expect(reason.contains("1 of 2"))
        let plan = assignments(table.hello(2))
        #expect(plan.count == 2)
        #expect(plan[1]?.layers == LayerRange(first: 0, end: 3) && plan[2]?.layers == LayerRange(first: 3, end: 6))
        #expect(plan[1]?.next == NodeAddress(node: NodeID("w2"), host: "127.0.0.1", port: 7002))
        #expect(plan[2]?.next == nil)
        // Each may fetch weights from the other.
        #expect(plan[1]?.peers.map(\.port) == [7002] && plan[2]?.peers.map(\.port) == [7001])
        #expect(plan[1]?.epoch == Epoch(term: 3, plan: 1) && plan[2]?.stage == 1 && plan[2]?.stageCount == 2)
        #expect(serves(table.ready(2)) == nil)
        #expect(serves(table.ready(1, Epoch(term: 3, plan: 0))) == nil, "of another epoch")
        let serving = serves(table.ready(1))
        #expect(serving?.0 == Epoch(term: 3, plan: 1) && serving?.1 == ControlStreamID(1))
        #expect(serves(table.ready(1)) == nil, "once")
        table.now = 1000
        _ = table.beat(1)
        let statuses = table.membership.workerStatuses()
        #expect(statuses.map(\.state) == [.ready, .ready])
        #expect(statuses[0].tokensPerSecond == 20 && statuses[0].busyFraction == 0.6)
        #expect(statuses[0].bubbleFraction == 0.25)
        #expect(statuses[1].busyFraction == 0 && statuses[1].bubbleFraction == 0, "it said nothing yet")
        #expect(statuses.map(\.layers) == [LayerRange(first: 0, end: 3), LayerRange(first: 3, end: 6)])
    }

    @Test func `a lost stage brings a new plan with those that are left`() throws {
        var table = Table(workers: 3)
        for number in 1...3 { _ = table.hello(UInt64(number)) }
        for number in 1...3 { _ = table.ready(UInt64(number)) }
        let directives = table.handle(.disconnected(ControlStreamID(2), reason: "reset"))
        #expect(isSuspended(directives))
        let plan = assignments(directives)
        #expect(Set(plan.keys) == [1, 3])
        #expect(plan[1]?.epoch == Epoch(term: 3, plan: 2))
        #expect(plan[1]?.next?.node == NodeID("w3"))
        _ = table.ready(1)
        #expect(serves(table.ready(3)) != nil)
        #expect(table.handle(.disconnected(ControlStreamID(2), reason: "again")).isEmpty)
    }

    @Test func `silence is a loss, heartbeats are life`() throws {
        var table = Table(workers: 2)
        for number in 1...2 { _ = table.hello(UInt64(number)) }
        for number in 1...2 { _ = table.ready(UInt64(number)) }
        table.now = 900
        _ = table.beat(1)
        table.now = 1000
        #expect(table.handle(.tick).isEmpty)
        table.now = 1001
        let directives = table.handle(.tick)
        #expect(isSuspended(directives))
        #expect(directives.contains(.close(ControlStreamID(2), reason: "silent for more than 1000 ms")))
        #expect(Set(assignments(directives).keys) == [1])
    }

    @Test func `a late worker is a spare and takes part in the next plan`() throws {
        var table = Table(workers: 1, replicas: 1)
        _ = table.hello(1)
        _ = table.ready(1)
        let late = table.hello(2)
        #expect(assignments(late).isEmpty && !isSuspended(late))
        #expect(table.membership.workerStatuses().map(\.state) == [.ready, .joined])
        let directives = table.handle(.disconnected(ControlStreamID(1), reason: "gone"))
        #expect(Set(assignments(directives).keys) == [2])
        let spare = table.hello(3)
        #expect(assignments(spare).isEmpty)
        #expect(
            table.handle(.disconnected(ControlStreamID(3), reason: "gone")).allSatisfy {
                if case .note = $0 { true } else { false }
            })
    }

    @Test func `the term rises above every epoch that a worker has seen`() throws {
        var table = Table(workers: 1, term: 3)
        let plan = assignments(table.hello(1, epoch: Epoch(term: 7, plan: 40)))
        #expect(plan[1]?.epoch == Epoch(term: 8, plan: 1))
        // A reconnect in the same reign needs no new term.
        _ = table.handle(.disconnected(ControlStreamID(1), reason: "gone"))
        let again = assignments(table.hello(2, name: "w1", epoch: Epoch(term: 8, plan: 1)))
        #expect(again[2]?.epoch == Epoch(term: 8, plan: 2))
    }

    @Test func `strangers are refused with a reason`() throws {
        var table = Table(workers: 1)
        func refusal(_ directives: [ClusterDirective]) -> String? {
            guard case .send(_, .refused(let message)) = directives.first, directives.count == 2 else { return nil }
            return message
        }
        #expect(refusal(table.hello(1, protocolVersion: 99))?.contains("protocol version 99") == true)
        #expect(refusal(table.hello(2, numerics: 5))?.contains("numerics version 5") == true)
        #expect(refusal(table.hello(3, name: ""))?.contains("empty name") == true)
        #expect(refusal(table.hello(4, epoch: Epoch(term: .max, plan: .max)))?.contains("cannot be") == true)
        #expect(table.handle(.message(ControlStreamID(9), .goodbye(reason: "?"))).count == 1)
        #expect(assignments(table.hello(5)).count == 1)
        #expect(refusal(table.hello(5, name: "other"))?.contains("second hello") == true)
    }

    @Test func `a worker that joins again replaces its old self`() throws {
        var table = Table(workers: 1)
        _ = table.hello(1)
        _ = table.ready(1)
        let directives = table.hello(2, name: "w1")
        #expect(isSuspended(directives))
        #expect(
            directives.contains {
                if case .close(ControlStreamID(1), _) = $0 { true } else { false }
            })
        #expect(Set(assignments(directives).keys) == [2])
        #expect(table.handle(.disconnected(ControlStreamID(1), reason: "closed")).isEmpty)
    }

    @Test func `failing again and again leaves a worker out, with its reason in the status`() throws {
        var table = Table(workers: 1)
        _ = table.hello(1)
        for attempt in 1...Membership.failureLimit {
            let failed = WorkerMessage.failed(epoch: table.membership.epoch, message: "no such file")
            let directives = table.handle(.message(ControlStreamID(1), failed))
            #expect(assignments(directives).isEmpty == (attempt == Membership.failureLimit))
        }
        guard case .waiting(let reason) = table.membership.phase else {
            Issue.record("planned with a failed worker")
            return
        }
        #expect(reason.contains("no such file"))
        let status = table.membership.workerStatuses()[0]
        #expect(status.state == .failed && status.detail == "no such file")
        #expect(assignments(table.hello(2, name: "w1")).count == 1, "joining anew is a new chance")
    }

    @Test func `too little memory is said with the numbers, and more workers cure it`() throws {
        var table = Table(workers: 1)
        #expect(assignments(table.hello(1, memory: 3500)).isEmpty)
        guard case .waiting(let reason) = table.membership.phase else {
            Issue.record("planned without the memory")
            return
        }
        #expect(reason.contains("for weights") && reason.contains("w1"))
        #expect(assignments(table.hello(2, memory: 3500)).count == 2)
    }

    @Test func `a broken pipeline is planned anew, once per epoch`() throws {
        var table = Table(workers: 2, split: [4, 2])
        for number in 1...2 { _ = table.hello(UInt64(number)) }
        for number in 1...2 { _ = table.ready(UInt64(number)) }
        let epoch = table.membership.epoch
        let directives = table.handle(.pipelineFailed(epoch, reason: "a gap"))
        #expect(isSuspended(directives))
        #expect(assignments(directives)[1]?.layers.count == 4, "the split is kept")
        #expect(table.handle(.pipelineFailed(epoch, reason: "a gap")).isEmpty)
    }
}
