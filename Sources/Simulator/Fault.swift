import Inference

/// Something that goes wrong for a while.
struct Fault: Hashable, Sendable, CustomStringConvertible {
    enum Kind: Hashable, Sendable {
        /// The process is gone, as after `kill -9`; a new one is started at the end.
        case kill(worker: Int)
        /// The process stands still, as after `SIGSTOP`.
        case stop(worker: Int)
        /// The computation stands still behind live heartbeats.
        case hang(worker: Int)
        /// It says goodbye and ends; a new one is started at the end.
        case leave(worker: Int)
        /// It asks to be drained and ends when it may, or with a goodbye at the end of its patience; then a new one is
        /// started.
        case drain(worker: Int)
        /// Nothing comes through, in either direction.
        case cut(Endpoint, Endpoint)
        case cutOneWay(from: Endpoint, to: Endpoint)
        /// Everything takes so many times longer, in either direction.
        case slow(Endpoint, Endpoint, factor: Double)
    }

    let kind: Kind
    let beginMilliseconds: Double
    let endMilliseconds: Double

    var description: String { "\(kind) from \(Int(beginMilliseconds)) to \(Int(endMilliseconds)) ms" }

    /// What happens to clusters, drawn at random: all of it is over at `horizon`.
    ///
    /// - Parameter count: of faults; beside them some workers may come late.
    static func random(
        count: Int, workerCount: Int, horizonMilliseconds horizon: Double, using random: inout SimulatedRandom
    ) -> [Fault] {
        (0..<count).map { _ in
            let begin = random.fraction() * horizon * 0.8
            // Mostly short ones, some that outlast every patience.
            let length = random.chance(0.7) ? random.fraction() * 8000 : random.fraction() * 60_000
            return Fault(
                kind: kind(workerCount, &random), beginMilliseconds: begin,
                endMilliseconds: min(begin + length, horizon))
        }
    }

    private static func kind(_ workerCount: Int, _ random: inout SimulatedRandom) -> Kind {
        let worker = Int.random(in: 0..<workerCount, using: &random)
        // With the coordinator, or with another worker.
        let other = Int.random(in: -1..<workerCount, using: &random)
        let one = Endpoint.worker(worker)
        let two = other < 0 || other == worker ? Endpoint.coordinator : .worker(other)
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1, 2: return .kill(worker: worker)
        case 3: return .stop(worker: worker)
        case 4: return .leave(worker: worker)
        case 5: return .cut(one, two)
        case 6: return random.chance(0.5) ? .cutOneWay(from: one, to: two) : .cutOneWay(from: two, to: one)
        case 7: return .hang(worker: worker)
        case 8: return .drain(worker: worker)
        default: return .slow(one, two, factor: 1 + 50 * random.fraction())
        }
    }
}
