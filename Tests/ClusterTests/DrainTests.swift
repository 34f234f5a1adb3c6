import Inference
import Testing

@testable import Cluster

/// Workers that are to leave.
@Suite struct DrainTests {
    @Test func `a spare worker may go at once`() throws {
        var toy = ToyMembership(workers: 1, split: [6])
        toy.join("a")
        toy.readyAll()
        toy.join("b")
        let epoch = toy.membership.epoch
        try toy.drain("b")
        #expect(toy.dismissed == ["b"] && toy.membership.epoch == epoch && toy.serving.count == 1)
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `the layers of a drained worker go to the others, and then it may go`() throws {
        var toy = ToyMembership(workers: 3, replicas: 1)
        for name in ["a", "b", "c"] { toy.join(name) }
        toy.readyAll()
        try toy.drain("b")
        #expect(toy.dismissed.isEmpty && toy.serving.count == 1, "until others have its layers")
        toy.readyAll()
        #expect(toy.dismissed == ["b"])
        #expect(toy.suspendedCount == 0 && toy.succeededCount == 1)
        #expect(Set(toy.serving.values.flatMap { $0.placement.stages.map(\.node.rawValue) }) == ["a", "c"])
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `a worker without which the model does not fit is refused with the reason`() {
        var toy = ToyMembership(workers: 2, replicas: 1)
        for name in ["a", "b"] { toy.join(name, memory: 4000) }
        toy.readyAll()
        let epoch = toy.membership.epoch
        let refusal = #expect(throws: DrainRefusal.self) { try toy.drain("a") }
        #expect(refusal?.code == .needed && refusal?.message.contains("memory") == true, "\(refusal?.message ?? "")")
        let unknown = #expect(throws: DrainRefusal.self) { try toy.drain("x") }
        #expect(unknown?.code == .unknownWorker && unknown?.message.contains("a, b") == true)
        #expect(toy.dismissed.isEmpty && toy.membership.epoch == epoch && toy.serving.count == 1)
    }

    @Test func `a worker that asks to leave is told that it is needed, and goes when another one comes`() {
        var toy = ToyMembership(workers: 2, replicas: 1)
        for name in ["a", "b"] { toy.join(name, memory: 4000) }
        toy.readyAll()
        toy.askToLeave("a")
        #expect(toy.needed.contains("a") && toy.dismissed.isEmpty && toy.serving.count == 1)
        toy.join("c", memory: 4000)
        toy.readyAll()
        #expect(toy.dismissed == ["a"])
        #expect(Set(toy.serving.values.flatMap { $0.placement.stages.map(\.node.rawValue) }) == ["b", "c"])
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `a spare worker takes the place of one that is drained, and nobody else changes layers`() throws {
        var toy = ToyMembership(workers: 2, split: [2, 4], replicas: 1)
        for name in ["a", "b", "c"] { toy.join(name) }
        toy.readyAll()
        let before = try #require(toy.serving.values.first)
        try toy.drain("a")
        let assignment = try #require(toy.workers[NodeID("c")]?.successor)
        #expect(assignment.predecessor == before.epoch && assignment.layers == before.placement.stages[0].layers)
        #expect(
            assignment.sources.map(\.layers) == [assignment.layers] && assignment.sources[0].address.node == NodeID("a")
        )
        #expect(toy.workers[NodeID("b")]?.successor?.sources.isEmpty == true)
        toy.readyAll()
        #expect(toy.dismissed == ["a"] && toy.succeededCount == 1 && toy.suspendedCount == 0)
        let after = try #require(toy.serving.values.first)
        #expect(after.id == before.id && after.placement.pageCount == before.placement.pageCount)
        #expect(after.placement.stages.map(\.layers) == before.placement.stages.map(\.layers))
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `without memory for both plans the layers go over by replay`() throws {
        // Each could hold the model with its pages, but not what the other one has beside.
        var toy = ToyMembership(workers: 2, split: [3, 3], replicas: 1)
        for name in ["a", "b"] { toy.join(name, memory: 6300) }
        toy.readyAll()
        try toy.drain("a")
        toy.readyAll()
        #expect(toy.dismissed == ["a"] && toy.succeededCount == 0 && toy.suspendedCount == 1)
        #expect(toy.serving.values.flatMap { $0.placement.stages.map(\.node.rawValue) } == ["b"])
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `when the plan to come fails, the worker is replaced by replay`() throws {
        var toy = ToyMembership(workers: 2, split: [2, 4], replicas: 1)
        for name in ["a", "b", "c"] { toy.join(name) }
        toy.readyAll()
        try toy.drain("a")
        toy.failToPrepare("c")
        toy.readyAll()
        #expect(toy.dismissed == ["a"] && toy.succeededCount == 0 && toy.suspendedCount == 1)
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `when pages are not moved in time, the plan that serves goes on at once`() throws {
        var toy = ToyMembership(workers: 2, split: [2, 4], replicas: 1)
        for name in ["a", "b", "c"] { toy.join(name) }
        toy.readyAll()
        try toy.drain("a")
        for name in ["b", "c"] {
            guard let worker = toy.workers[NodeID(name)], let epoch = worker.successor?.epoch else { continue }
            toy.handle(.message(worker.stream, .ready(epoch: epoch, memoryByteCount: 5)))
        }
        let paused = try #require(toy.pauses.first)
        toy.handle(.quiet(paused))
        #expect(toy.moves.count == 2)
        toy.wait(milliseconds: 4200)
        #expect(toy.resumedCount == 1 && toy.succeededCount == 0)
        toy.moves = []
        toy.readyAll()
        #expect(toy.dismissed == ["a"], "by replay")
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }

    @Test func `a worker that is lost on the way to another plan is an ordinary loss`() throws {
        var toy = ToyMembership(workers: 3, replicas: 1)
        for name in ["a", "b", "c"] { toy.join(name) }
        toy.readyAll()
        try toy.drain("b")
        toy.leave("a")
        toy.readyAll()
        #expect(toy.serving.count == 1 && toy.suspendedCount == 1)
        #expect(toy.dismissed == ["b"] && toy.workers.count == 1)
        #expect(toy.problems.isEmpty, "\(toy.problems)")
    }
}
