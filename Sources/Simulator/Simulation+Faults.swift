import Inference

/// What goes wrong, and how it ends.
extension Simulation {
    mutating func begin(_ fault: Fault) {
        switch fault.kind {
        case .kill(let index): goDown(index)
        case .leave(let index):
            send(.goodbye(reason: "told to leave"), from: index)
            goDown(index)
        case .drain(let index):
            guard workers[index].downCount == 0 else { return }
            workers[index].isLeaving = true
            send(.askToLeave, from: index)
        case .stop(let index):
            if workers[index].downCount == 0 { workers[index].stopCount += 1 }
        case .hang(let index):
            if workers[index].downCount == 0 { workers[index].hang(now: now) }
        case .cut(let one, let other):
            for direction in Self.both(one, other) { network.cut(direction) }
        case .cutOneWay(let from, let to): network.cut(SimulatedNetwork.Direction(from: from, to: to))
        case .slow(let one, let other, let factor):
            for direction in Self.both(one, other) { network.slow(direction, by: factor) }
        }
    }

    mutating func end(_ fault: Fault) throws(Breach) {
        switch fault.kind {
        case .kill(let index), .leave(let index): start(index)
        case .drain(let index):
            if workers[index].isLeaving {
                send(.goodbye(reason: "its patience ends"), from: index)
                goDown(index)
                workers[index].drainedCount += 1
            }
            guard workers[index].drainedCount > 0 else { return }
            workers[index].drainedCount -= 1
            start(index)
        case .stop(let index): try resume(index)
        case .hang(let index):
            let events = workers[index].endHang()
            guard workers[index].stopCount == 0 else {
                workers[index].backlog += events
                return
            }
            for event in events { try handle(event, at: index) }
        case .cut(let one, let other): for direction in Self.both(one, other) { heal(direction) }
        case .cutOneWay(let from, let to): heal(SimulatedNetwork.Direction(from: from, to: to))
        case .slow(let one, let other, let factor):
            for direction in Self.both(one, other) { network.endSlowness(direction, by: factor) }
        }
    }

    private static func both(_ one: Endpoint, _ other: Endpoint) -> [SimulatedNetwork.Direction] {
        [
            SimulatedNetwork.Direction(from: one, to: other),
            SimulatedNetwork.Direction(from: other, to: one),
        ]
    }

    /// The process ends; its host closes its connections.
    mutating func goDown(_ index: Int) {
        workers[index].downCount += 1
        guard workers[index].downCount == 1 else { return }
        if let stream = workers[index].stream { send(.coordinatorLoses(stream), toCoordinatorFrom: index) }
        workers[index].end()
        network.forget(.worker(index))
    }

    /// A new process takes its place, unless something else keeps it down.
    mutating func start(_ index: Int) {
        workers[index].downCount -= 1
        guard workers[index].downCount == 0 else { return }
        workers[index].process += 1
        schedule(.join, index, after: 0)
    }

    /// What waited for a process that stood still happens to it now.
    private mutating func resume(_ index: Int) throws(Breach) {
        guard workers[index].stopCount > 0 else { return }
        workers[index].stopCount -= 1
        guard workers[index].stopCount == 0 else { return }
        let events = workers[index].backlog
        workers[index].backlog = []
        let process = workers[index].process
        for event in events where workers[index].process == process { try handle(event, at: index) }
    }

    private mutating func heal(_ direction: SimulatedNetwork.Direction) {
        for (event, milliseconds) in network.heal(direction, now: now) { queue.schedule(event, at: milliseconds) }
    }
}
