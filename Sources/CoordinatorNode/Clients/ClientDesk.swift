import Foundation
import Inference
import Logging
import Scheduling
import Trust

/// Who may ask, and how much: the API keys, and what is charged to each.
struct ClientDesk {
    /// What a live request is charged with.
    struct Charge: Hashable {
        fileprivate let key: KeyHash
        fileprivate let reserved: Int
        fileprivate var taken: Int
        /// What the client may still ask for.
        let limits: RateLimits?
    }

    private var ring: ClientKeyRing?
    private let logger: Logger
    private var meters: [KeyHash: ClientMeter] = [:]
    private var charges: [RequestTicket: Charge] = [:]

    /// - Parameter directory: of the keys; nil lets everybody ask.
    init(_ directory: ClientKeyDirectory?, logger: Logger) {
        ring = directory.map { ClientKeyRing($0) }
        self.logger = logger
    }

    /// The client with a key; nil when there are no keys.
    ///
    /// - Throws: `EngineError`: `unauthenticated`, or `unavailable` when the keys cannot be read.
    mutating func client(_ hash: KeyHash?) throws(EngineError) -> ClientKey? {
        do throws(TrustError) {
            for problem in try ring?.refresh() ?? [] {
                logger.error("An API key cannot be used", metadata: ["problem": "\(problem)"])
            }
        } catch {
            logger.error("The API keys cannot be read", metadata: ["problem": "\(error)"])
            throw EngineError(
                code: .unavailable, message: "the API keys cannot be read: the coordinator's log says why")
        }
        guard let ring, ring.isRequired else { return nil }
        guard let hash else {
            throw EngineError(
                code: .unauthenticated,
                message: "No API key was given. Send one in the header 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
            )
        }
        guard let key = ring.key(hash: hash.bytes, at: Date()) else {
            throw EngineError(
                code: .unauthenticated,
                message: "The API key is not good here: it is wrong, was revoked or has expired.")
        }
        return key
    }

    /// Makes the client of a request known, and charges the request to it.
    ///
    /// - Parameter contextLength: bounds answers that set no limit.
    /// - Returns: nil when there are no keys.
    mutating func admit(
        _ request: inout GenerationRequest, contextLength: Int, now: Double
    ) throws(EngineError) -> Charge? {
        guard let key = try client(request.key), let hash = request.key else { return nil }
        request.client = "key \(key.name)"
        dropStaleMeters()
        var meter = meters[hash] ?? ClientMeter(key.limits, now: now)
        defer { meters[hash] = meter }
        let promptCount = request.prompt.count + request.generated.count
        let room = max(contextLength - promptCount, 0)
        let answerLimit = min(max(request.maxTokens ?? room, 0), room)
        let choices = min(max(request.choiceCount, 0), 1 << 16)
        let reserved = try meter.begin(promptCount: promptCount, answerLimit: answerLimit * choices, now: now)
        return Charge(key: hash, reserved: reserved, taken: promptCount, limits: meter.limits)
    }

    /// Begins a request that was admitted.
    mutating func open(_ ticket: RequestTicket, _ charge: Charge?) { charges[ticket] = charge }

    /// Takes back what was charged to a request that was refused after all.
    mutating func undo(_ charge: Charge?, now: Double) {
        if let charge { meters[charge.key]?.undo(reserved: charge.reserved, now: now) }
    }

    /// Counts what a request takes; at its end it is charged that, and no more what it reserved.
    mutating func note(_ event: SchedulerEvent, now: Double) {
        if case .event(let ticket, .token) = event { charges[ticket]?.taken += 1 }
        guard event.isLast, let charge = charges.removeValue(forKey: event.ticket) else { return }
        meters[charge.key]?.end(reserved: charge.reserved, taken: charge.taken, now: now)
    }

    /// There are never many more meters than keys.
    private mutating func dropStaleMeters() {
        guard let ring, meters.count > ClientKeyDirectory.maxCount else { return }
        let hashes = ring.hashes
        meters = meters.filter { hashes.contains($0.key.bytes) || $0.value.runningCount > 0 }
    }
}
