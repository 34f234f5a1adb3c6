import Inference
import Scheduling

/// Who asks for what, and when.
struct Clients {
    let traffic: Traffic
    private let seed: UInt64
    private var random: SimulatedRandom
    private var hasBegun = false
    /// The next request that was not asked yet.
    private var nextNumber = 0
    private var servedCount = 0
    /// When each request that has no answer yet was asked for the first time.
    var askedMilliseconds: [Int: Double] = [:]
    /// Tokens after which clients go away.
    var patience: [RequestTicket: Int] = [:]

    init(_ scenario: Scenario) {
        traffic = scenario.traffic
        seed = scenario.seed
        random = SimulatedRandom(seed: scenario.seed, stream: 4)
    }

    var areServed: Bool { servedCount == traffic.requestCount }

    /// True the first time.
    mutating func begin() -> Bool {
        defer { hasBegun = true }
        return !hasBegun
    }

    mutating func nextRequest() -> Int? {
        guard nextNumber < traffic.requestCount else { return nil }
        defer { nextNumber += 1 }
        return nextNumber
    }

    mutating func distance(perSecond: Double) -> Double { traffic.distance(perSecond: perSecond, using: &random) }

    mutating func served(_ number: Int) {
        servedCount += 1
        askedMilliseconds[number] = nil
    }

    func fractionDone(_ statistics: RequestStatistics) -> Double {
        let bounds = traffic.answerTokenCount
        let all = Double(bounds.lowerBound + bounds.upperBound) / 2 * Double(traffic.requestCount)
        return min(1, Double(statistics.tokenCount) / all)
    }
}

extension Simulation {
    /// The first clients ask.
    mutating func openDoors() {
        switch scenario.traffic.arrival {
        case .clients(let count):
            for _ in 0..<count {
                guard let number = clients.nextRequest() else { break }
                queue.schedule(.ask(number), at: now)
            }
        case .perSecond: askNext()
        }
    }

    private mutating func askNext() {
        guard let number = clients.nextRequest() else { return }
        var distance = 0.0
        if case .perSecond(let rate) = scenario.traffic.arrival { distance = clients.distance(perSecond: rate) }
        queue.schedule(.ask(number), at: now + distance)
    }

    mutating func ask(_ number: Int) throws(Breach) {
        let isFirst = clients.askedMilliseconds[number] == nil
        if isFirst {
            clients.askedMilliseconds[number] = now
            if case .perSecond = scenario.traffic.arrival { askNext() }
        }
        let request = scenario.traffic.request(
            number, seed: scenario.seed, vocabularySize: scenario.scheduling.vocabularySize)
        switch try coordinator.submit(request, now: now) {
        case .success(let ticket):
            busy.requestCameAlive(ledger.liveCount, now: now)
            ledger.add(
                request, ticket, number: number, askedMilliseconds: clients.askedMilliseconds[number] ?? now,
                suspicionCount: coordinator.suspicionCount)
            if let tokenCount = scenario.traffic.patience(number, seed: scenario.seed) {
                clients.patience[ticket] = tokenCount
                if tokenCount == 0 { try coordinator.cancel(ticket, now: now) }
            }
        case .failure(let error):
            let isExpected = error.code == .overloaded || coordinator.isOutage(now: now)
            guard isExpected, let seconds = error.retryAfterSeconds, seconds > 0 else {
                throw Breach("request \(number) is refused: \(error.message)")
            }
            ledger.refuse()
            queue.schedule(.ask(number), at: now + Double(seconds) * 1000)
        }
        try settle()
    }

    /// Hands out what the scheduler has for the clients.
    mutating func deliver() throws(Breach) {
        while case let events = coordinator.takeEvents(), !events.isEmpty {
            for event in events {
                lastProgress = max(lastProgress, now)
                let number = try ledger.record(
                    event, isOutage: coordinator.isOutage(now: now), suspicionCount: coordinator.suspicionCount,
                    now: now)
                if let number {
                    clients.served(number)
                    clients.patience[event.ticket] = nil
                    busy.requestEnded(ledger.liveCount, now: now)
                    if case .clients = scenario.traffic.arrival { askNext() }
                } else if case .event(let ticket, .token) = event {
                    try losePatience(ticket)
                }
            }
        }
    }

    private mutating func losePatience(_ ticket: RequestTicket) throws(Breach) {
        guard let left = clients.patience[ticket] else { return }
        clients.patience[ticket] = left - 1
        guard left == 1 else { return }
        try coordinator.cancel(ticket, now: now)
    }
}

/// The time in which there was something to do.
struct BusyTime {
    private(set) var milliseconds = 0.0
    private var since = 0.0

    /// - Parameter liveCount: before it came.
    mutating func requestCameAlive(_ liveCount: Int, now: Double) {
        if liveCount == 0 { since = now }
    }

    /// - Parameter liveCount: after it ended.
    mutating func requestEnded(_ liveCount: Int, now: Double) {
        if liveCount == 0 { milliseconds += now - since }
    }
}
