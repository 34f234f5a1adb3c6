import Inference
import TestSupport
import Testing

@testable import Cluster

/// Several pipelines at once: who is in which, and when.
@Suite struct ReplicaTests {
    /// The names of each replica's workers.
    private func groups(_ toy: ToyMembership) -> [[String]] {
        toy.membership.replicas.map { $0.placement.stages.map(\.node.rawValue) }
    }

    @Test func `a later worker that can hold the model serves beside, and nothing else changes`() {
        var toy = ToyMembership(workers: 2)
        toy.join("a", memory: 4000)
        toy.join("b", memory: 4000)
        toy.readyAll()
        let before = toy.serving[ReplicaID(0)]
        #expect(groups(toy) == [["a", "b"]])
        toy.join("c")
        #expect(toy.serving.count == 1, "it loads first")
        toy.readyAll()
        #expect(groups(toy) == [["a", "b"], ["c"]])
        #expect(toy.serving.count == 2 && toy.serving[ReplicaID(0)] == before)
        let statuses = toy.membership.workerStatuses()
        #expect(statuses.map(\.replica) == [0, 0, 1])
        #expect(statuses.map { $0.layers?.count } == [3, 3, 6])
        #expect(toy.problems == [])
    }

    @Test func `later workers that are too small each wait until they are enough together`() {
        var toy = ToyMembership()
        for name in ["a", "b", "c"] { toy.join(name, memory: name == "a" ? 100_000 : 4000) }
        toy.readyAll()
        #expect(groups(toy) == [["a"], ["b", "c"]])
        #expect(toy.problems == [])
    }

    @Test func `when a replica falls, the other goes on and the rest serves again if it can`() {
        var toy = ToyMembership(workers: 2)
        toy.join("a", memory: 4000)
        toy.join("b", memory: 4000)
        toy.join("c", memory: 7000)
        toy.readyAll()
        let other = toy.serving[ReplicaID(1)]
        toy.leave("a")
        #expect(groups(toy) == [["c"]], "b alone is too small")
        #expect(toy.serving.values.map(\.id) == [ReplicaID(1)] && toy.serving[ReplicaID(1)] == other)
        #expect(toy.membership.workerStatuses().map(\.state) == [.ready, .joined])
        toy.join("d", memory: 4000)
        toy.readyAll()
        #expect(groups(toy) == [["b", "d"], ["c"]], "the free number is used again")
        toy.leave("c")
        toy.leave("d")
        toy.join("e", memory: 3500)
        toy.readyAll()
        #expect(groups(toy) == [["b", "e"]], "none served, so all that are left are one pipeline")
        #expect(toy.problems == [])
    }

    @Test func `one replica that fails again and again leaves the others alone`() {
        var toy = ToyMembership()
        toy.join("a")
        toy.readyAll()
        let first = toy.serving[ReplicaID(0)]
        toy.join("b")
        for _ in 0..<Membership.failureLimit { toy.fail("b") }
        #expect(groups(toy) == [["a"]] && toy.serving[ReplicaID(0)] == first)
        #expect(toy.membership.workerStatuses().last?.state == .failed)
        #expect(toy.membership.epoch.plan == UInt64(1 + Membership.failureLimit))
        #expect(toy.problems == [])
    }

    @Test func `workers that nothing goes without are tried again after pauses that grow`() {
        var toy = ToyMembership()
        for name in ["a", "b"] { toy.join(name, memory: 4000) }
        toy.readyAll()
        for _ in 0..<Membership.failureLimit { toy.fail("a") }
        var pauses: [Double] = []
        for _ in 0..<8 {
            let began = toy.now
            while toy.membership.replicas.isEmpty, toy.now - began < 40_000 {
                toy.now += 100
                toy.beatAll()
                toy.handle(.tick)
            }
            pauses.append(toy.now - began)
            toy.fail("a")
        }
        #expect(pauses == [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
        // Once it has served for long, it is a worker like others.
        toy.wait(milliseconds: 30_000)
        toy.readyAll()
        #expect(toy.serving.count == 1)
        toy.wait(milliseconds: 61_000)
        toy.fail("a")
        #expect(!toy.membership.replicas.isEmpty)
        #expect(toy.problems == [])
    }

    @Test func `a plan that stands is not disturbed for a worker that may be tried again`() {
        var toy = ToyMembership()
        toy.join("a")
        for _ in 0..<Membership.failureLimit { toy.fail("a") }
        toy.join("b")
        toy.readyAll()
        let plan = toy.membership.epoch
        toy.wait(milliseconds: 100_000)
        #expect(toy.membership.epoch == plan && groups(toy) == [["b"]])
        // Nothing goes without it now.
        toy.leave("b")
        #expect(groups(toy) == [["a"]])
        #expect(toy.problems == [])
    }

    @Test func `as many replicas as were asked for are built, of workers of one host, too`() {
        var one = ToyMembership(workers: 4)
        var two = ToyMembership(workers: 4, replicas: 2)
        var single = ToyMembership(workers: 4, replicas: 1)
        for name in ["a", "b", "c", "d", "e"] {
            one.join(name, host: "here")
            two.join(name, host: "here")
            single.join(name)
        }
        #expect(groups(one) == [["a", "b", "c", "d"], ["e"]], "one host has one memory")
        #expect(groups(two).map(\.count) == [2, 2])
        #expect(groups(single) == [["a", "b", "c", "d"]])
    }

    @Test func `workers of several hosts become several pipelines where that is forecast to pay`() {
        var rich = ToyMembership(workers: 4)
        for name in ["a", "b", "c", "d"] { rich.join(name) }
        #expect(groups(rich).count == 4)
        // Together they have the pages for many streams, alone for one each.
        var poor = ToyMembership(workers: 2)
        for name in ["a", "b"] { poor.join(name, memory: 6300) }
        #expect(groups(poor).count == 1)
        #expect(rich.problems == [] && poor.problems == [])
    }

    @Test func `an explicit split is the split of every replica`() {
        var toy = ToyMembership(workers: 2, split: [4, 2])
        for name in ["a", "b", "c", "d", "e"] { toy.join(name) }
        toy.readyAll()
        #expect(groups(toy) == [["a", "b"], ["c", "d"]])
        #expect(toy.membership.replicas.allSatisfy { $0.placement.stages.map(\.layers.count) == [4, 2] })
        #expect(toy.problems == [])
    }

    @Test(arguments: 0..<200)
    func `no worker is ever in two replicas, epochs rise, and the shell knows who serves`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var toy = ToyMembership(
            workers: Int.random(in: 1...3, using: &random),
            replicas: Bool.random(using: &random) ? nil : Int.random(in: 1...3, using: &random))
        let names = (0..<8).map { "w\($0)" }
        let hosts = Dictionary(
            uniqueKeysWithValues: names.map { ($0, "h\(Int.random(in: 0..<5, using: &random))") })
        for _ in 0..<150 {
            let name = names.randomElement(using: &random)!
            toy.now += Double.random(in: 0...50, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                toy.join(name, memory: Int.random(in: 1500...15_000, using: &random), host: hosts[name])
            case 3: toy.leave(name)
            case 4: toy.fail(name)
            case 5:
                guard let replica = toy.membership.replicas.randomElement(using: &random) else { break }
                toy.handle(.pipelineFailed(replica.epoch, reason: "a gap"))
            default: toy.ready(name)
            }
        }
        #expect(toy.problems == [], "seed \(seed)")
        // Fresh workers, each of them enough, in the end always serve.
        for name in names { toy.leave(name) }
        for name in ["x", "y", "z"] { toy.join(name) }
        toy.readyAll()
        #expect(toy.problems == [], "seed \(seed)")
        #expect(!toy.serving.isEmpty, "seed \(seed)")
        #expect(toy.serving.count == toy.membership.replicas.count, "seed \(seed)")
    }
}
