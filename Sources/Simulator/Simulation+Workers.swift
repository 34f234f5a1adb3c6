import Cluster
import Inference

/// What workers do.
extension Simulation {
    mutating func handle(_ event: WorkerEvent, at index: Int) throws(Breach) {
        switch event {
        case .join: join(index)
        case .hears(let stream, let message):
            guard workers[index].stream == stream else { return }
            try hear(message, at: index)
        case .loses(let stream):
            guard workers[index].stream == stream else { return }
            workers[index].stream = nil
            schedule(.join, index, after: Self.rejoinMilliseconds)
        case .activation(let activation): try take(activation, at: index)
        case .computed(let epoch):
            guard workers[index].stage?.assignment.epoch == epoch else { return }
            try finishStep(at: index)
        case .loaded(let epoch):
            guard workers[index].stage?.assignment.epoch == epoch else { return }
            workers[index].stage?.isReady = true
            send(.ready(epoch: epoch, memoryByteCount: 0), from: index)
        case .heartbeat(let stream):
            guard workers[index].stream == stream else { return }
            send(.heartbeat(workers[index].heartbeat), from: index)
            schedule(event, index, after: Double(scenario.heartbeatMilliseconds))
        }
    }

    private static let rejoinMilliseconds = 100.0

    private mutating func join(_ index: Int) {
        workers[index].stream = openStream(at: index)
        send(.hello(workers[index].hello(index: index)), from: index)
    }

    private mutating func hear(_ message: CoordinatorMessage, at index: Int) throws(Breach) {
        switch message {
        case .welcome:
            guard let stream = workers[index].stream else { return }
            schedule(.heartbeat(stream), index, after: Double(scenario.heartbeatMilliseconds))
        case .refused(let text): throw Breach("worker \(workers[index].capacity.node) is refused: \(text)")
        case .assign(let assignment):
            guard assignment.epoch > workers[index].highestEpoch else { return }
            workers[index].highestEpoch = assignment.epoch
            workers[index].stage = SimulatedStage(assignment)
            let byteCount = Double(scenario.model.weightByteCount(of: assignment.layers))
            schedule(
                .loaded(assignment.epoch), index, after: byteCount / scenario.loadBytesPerSecond * 1000)
        case .step(let step): try take(SimulatedActivation(step: step, digest: 0), at: index)
        case .shutdown: break
        }
    }

    private mutating func take(_ activation: SimulatedActivation, at index: Int) throws(Breach) {
        try workers[index].stage?.offer(activation)
        try beginStep(at: index)
    }

    private mutating func beginStep(at index: Int) throws(Breach) {
        let capacity = workers[index].capacity
        guard let milliseconds = try workers[index].stage?.begin(capacity, timing),
            let epoch = workers[index].stage?.assignment.epoch
        else { return }
        let late = scenario.jitter > 0 ? scenario.jitter * random.fraction() : 0
        schedule(.computed(epoch), index, after: milliseconds * (1 + late))
    }

    private mutating func finishStep(at index: Int) throws(Breach) {
        switch workers[index].stage?.finish() {
        case .result(let result): send(.result(result), from: index)
        case .activation(let activation):
            guard let next = workers[index].stage?.assignment.next else { break }
            // The next stage's port tells which worker it is.
            send(
                .activation(activation), to: next.port - 1, from: .worker(index),
                byteCount: scenario.model.rowByteCount * activation.step.rowCount, isBulk: true)
        case nil: break
        }
        try beginStep(at: index)
    }
}
