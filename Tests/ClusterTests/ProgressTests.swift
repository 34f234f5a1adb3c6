import Inference
import Testing

@testable import Cluster

/// Workers that hang or are cut off behind live heartbeats.
@Suite struct ProgressTests {
    private let epoch = Epoch(term: 1, plan: 1)

    private func beat(
        _ finished: UInt64, layer: Int? = nil, rows: UInt64 = 0, isLinkUp: Bool = true, epoch: Epoch? = nil
    ) -> Heartbeat {
        Heartbeat(
            epoch: epoch ?? self.epoch, finishedStepCount: finished, layer: layer, computedRowCount: rows,
            busyMicroseconds: 0, nextLinkUp: isLinkUp)
    }

    @Test func `a step that stands is noticed after the patience, one that moves never`() {
        var watch = ProgressWatch()
        func stands(_ step: UInt64?, _ beats: [Heartbeat?], _ now: Double) -> Bool {
            watch.stands(step: step, heartbeats: beats, patience: 1000, now: now)
        }
        #expect(!stands(nil, [beat(0), beat(0)], 5000))
        #expect(!stands(0, [beat(0), beat(0)], 9000), "it was only sent now")
        // A layer every 450 ms is slow, not dead.
        for layer in 0..<100 { #expect(!stands(0, [beat(0, layer: layer), beat(0)], 9450 + 450 * Double(layer))) }
        let end = 9450 + 450 * 99.0
        #expect(!stands(0, [beat(0, layer: 99), beat(0)], end + 1000))
        #expect(stands(0, [beat(0, layer: 99), beat(0)], end + 1001))
    }

    @Test func `pauses that ended by themselves stretch the patience, with a bound`() {
        var watch = ProgressWatch()
        var now = 0.0
        func stands(_ finished: UInt64) -> Bool {
            watch.stands(step: 0, heartbeats: [beat(finished)], patience: 1000, now: now)
        }
        #expect(!stands(0))
        now += 900
        #expect(!stands(1))
        now += 1700
        #expect(!stands(1), "twice 900")
        #expect(!stands(2))
        for count in 3..<9 {
            now += 3900
            _ = stands(UInt64(count))
        }
        now += 4001
        #expect(stands(8), "never more than four times")
    }

    @Test func `the first stage that has not finished the step is to blame, and the reason says why`() {
        let nodes = [NodeID("a"), NodeID("b"), NodeID("c")]
        func culprit(_ beats: [Heartbeat?]) -> (Int, String) {
            let found = ProgressWatch.culprit(step: 7, nodes: nodes, heartbeats: beats)
            return (found.index, found.reason)
        }
        let hung = culprit([beat(9), beat(7, layer: 12), beat(7)])
        #expect(hung.0 == 1 && hung.1.contains("hangs: b is in layer 12 of step 7"))
        let cut = culprit([beat(9, isLinkUp: false), beat(7), beat(7)])
        #expect(cut.0 == 1 && cut.1.contains("b never began step 7") && cut.1.contains("worker a, which reports"))
        let first = culprit([beat(7), beat(7), beat(7)])
        #expect(first.0 == 0 && first.1.contains("from the coordinator is cut"))
        let last = culprit([beat(8), beat(8), beat(8)])
        #expect(last.0 == 2 && last.1.contains("its result did not come"))
        #expect(culprit([beat(8), nil, nil]).0 == 1)
    }

    @Test func `a worker that hangs is left out at once, and the reason is told`() {
        var toy = ToyMembership()
        for name in ["a", "b", "c"] { toy.join(name, memory: 4000) }
        toy.readyAll()
        let epoch = toy.membership.epoch
        let second = toy.serving[ReplicaID(0)]!.placement.stages[1].node
        let first = toy.serving[ReplicaID(0)]!.placement.stages[0].node
        for _ in 0..<60 {
            toy.now += 100
            for name in toy.workers.keys {
                toy.finish(name == first && toy.membership.epoch == epoch ? 1 : 0, by: [name])
            }
            toy.handle(.inFlight([epoch: 0]))
            toy.handle(.tick)
        }
        toy.readyAll()
        let record = toy.membership.workerStatuses().first { $0.id == second }
        #expect(record?.state == .failed)
        #expect(record?.detail?.contains("never began step 0") == true, "\(record?.detail ?? "")")
        #expect(toy.serving.count == 1 && toy.serving[ReplicaID(0)]?.epoch != epoch)
        #expect(toy.problems == [])
    }

    @Test func `a link that is down between two workers that live is a failure of the second`() {
        var toy = ToyMembership()
        for name in ["a", "b", "c"] { toy.join(name, memory: 4000) }
        toy.readyAll()
        let epoch = toy.membership.epoch
        let stages = toy.serving[ReplicaID(0)]!.placement.stages.map(\.node)
        // It comes and goes: the link mends itself.
        for turn in 0..<100 {
            toy.now += 100
            toy.beatAll()
            if turn % 20 != 0 { toy.finish(0, by: [stages[0]], isLinkUp: false) }
            toy.handle(.tick)
        }
        #expect(toy.membership.epoch == epoch)
        toy.wait(milliseconds: 4500, linkDownAt: stages[0])
        #expect(toy.membership.epoch != epoch)
        let record = toy.membership.workerStatuses().first { $0.id == stages[1] }
        #expect(record?.state == .failed && record?.detail?.contains("\(stages[0]) cannot reach it") == true)
        #expect(toy.problems == [])
    }

    @Test func `only failures that may be due to what is computed are laid to requests`() {
        func suspicions(_ happen: (inout ToyMembership, ToyMembership.Worker) -> Void) -> Int {
            var toy = ToyMembership()
            for name in ["a", "b", "c"] { toy.join(name, memory: 4000) }
            toy.readyAll()
            let stages = toy.serving[ReplicaID(0)]!.placement.stages.map(\.node)
            happen(&toy, toy.workers[stages[1]]!)
            return toy.suspectedCount
        }
        func failed(_ toy: ToyMembership, isLink: Bool) -> WorkerMessage {
            .failed(epoch: toy.membership.epoch, message: "broken", isLink: isLink)
        }
        #expect(suspicions { $0.leave($1.hello.node.rawValue) } == 1)
        #expect(suspicions { $0.handle(.message($1.stream, failed($0, isLink: false))) } == 1)
        #expect(suspicions { toy, _ in toy.handle(.pipelineFailed(toy.membership.epoch, reason: "gap")) } == 1)
        #expect(suspicions { $0.handle(.message($1.stream, failed($0, isLink: true))) } == 0)
        #expect(suspicions { $0.handle(.message($1.stream, .goodbye(reason: "told to"))) } == 0)
        let silent = suspicions { toy, _ in
            toy.now += 5000
            toy.handle(.tick)
        }
        #expect(silent == 0)
    }
}
