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
        toy.readyAll()
        #expect(toy.dismissed == ["b"])
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
}
