import Inference
import Trust

/// What one client has asked for, against what its key allows.
///
/// A request reserves its prompt and the most that its answers may have, but for these no more than a quarter of a
/// minute's tokens, so that clients which set no limit can ask several things at once. At its end it is charged what it
/// took; what went beyond the reservation is owed, and later requests wait for it.
struct ClientMeter: Sendable {
    private var requests: TokenBucket?
    private var tokens: TokenBucket?
    private let concurrentLimit: Int?
    private(set) var runningCount = 0

    init(_ limits: ClientLimits, now: Double) {
        requests = limits.requestsPerMinute.map { TokenBucket(limit: $0, now: now) }
        tokens = limits.tokensPerMinute.map { TokenBucket(limit: $0, now: now) }
        concurrentLimit = limits.concurrentRequests
    }

    /// Takes a request in.
    ///
    /// - Parameter answerLimit: the most tokens of all its answers.
    /// - Returns: the reserved tokens.
    /// - Throws: `EngineError` (`overloaded`) when the client has to wait, or `invalidRequest` when that would not help.
    mutating func begin(promptCount: Int, answerLimit: Int, now: Double) throws(EngineError) -> Int {
        requests?.fill(now: now)
        tokens?.fill(now: now)
        if let tokens, promptCount > tokens.limit {
            throw EngineError(
                code: .invalidRequest,
                message:
                    "The prompt has \(promptCount) tokens, but this API key allows \(tokens.limit) per minute in all.",
                limits: limits)
        }
        if let concurrentLimit, runningCount >= concurrentLimit {
            throw refusal("\(concurrentLimit) requests at a time", waitMilliseconds: 0)
        }
        let reserved = promptCount + min(answerLimit, (tokens?.limit ?? 0) / 4)
        if let wait = requests?.waitMilliseconds(for: 1), wait > 0 {
            throw refusal("\(requests?.limit ?? 0) requests per minute", waitMilliseconds: wait)
        }
        if let wait = tokens?.waitMilliseconds(for: reserved), wait > 0 {
            throw refusal(
                "\(tokens?.limit ?? 0) tokens per minute, and this request needs \(reserved)", waitMilliseconds: wait)
        }
        requests?.take(1)
        tokens?.take(reserved)
        runningCount += 1
        return reserved
    }

    /// Ends a request that reserved so many tokens and took so many.
    mutating func end(reserved: Int, taken: Int, now: Double) {
        runningCount -= 1
        tokens?.fill(now: now)
        tokens?.giveBack(reserved - taken)
    }

    /// Takes a request back that never began.
    mutating func undo(reserved: Int, now: Double) {
        end(reserved: reserved, taken: 0, now: now)
        requests?.giveBack(1)
    }

    var limits: RateLimits? {
        guard requests != nil || tokens != nil else { return nil }
        return RateLimits(requests: requests?.allowance, tokens: tokens?.allowance)
    }

    private func refusal(_ limit: String, waitMilliseconds: Double) -> EngineError {
        let seconds = max(Int((waitMilliseconds / 1000).rounded(.up)), 1)
        return EngineError(
            code: .overloaded,
            message: "Rate limit reached: this API key allows \(limit). Please try again in \(seconds) s.",
            retryAfterSeconds: seconds, limits: limits)
    }
}
