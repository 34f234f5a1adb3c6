import HTTPTypes
import Hummingbird
import Synchronization

/// What this gateway counted since it began.
final class GatewayMetrics: Sendable {
    /// How a request to the engine ended.
    enum Outcome: String, CaseIterable {
        case completed
        /// The engine did not take it.
        case refused
        case failed
        /// The client went away.
        case abandoned
    }

    /// What HTTP requests are told apart by. Routes are templates and methods are known ones, so that clients cannot make
    /// up any number of them.
    struct Answered: Hashable, Comparable {
        let route: String
        let method: String
        let code: Int

        static func < (left: Self, right: Self) -> Bool {
            (left.route, left.method, left.code) < (right.route, right.method, right.code)
        }
    }

    let timeToFirstToken = LatencyHistogram.ofRequests()
    let timePerOutputToken = LatencyHistogram.ofTokens()
    let requestLatency = LatencyHistogram.ofRequests()
    let queueTime = LatencyHistogram.ofRequests()
    let prefillTime = LatencyHistogram.ofRequests()
    let decodeTime = LatencyHistogram.ofRequests()
    let promptTokenCount = Atomic(0)
    let cachedPromptTokenCount = Atomic(0)
    let generatedTokenCount = Atomic(0)
    let connectionCount = Atomic(0)

    private let answers = Mutex<[Answered: Int]>([:])
    private let outcomes = Mutex<[Outcome: Int]>([:])

    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]

    /// Notes the answer to an HTTP request.
    ///
    /// - Parameter route: The template of the request's path.
    func answered(route: String, method: HTTPRequest.Method, code: Int) {
        let method = Self.methods.contains(method.rawValue) ? method.rawValue : "other"
        answers.withLock { $0[Answered(route: route, method: method, code: code), default: 0] += 1 }
    }

    func ended(_ outcome: Outcome) { outcomes.withLock { $0[outcome, default: 0] += 1 } }

    var answerCounts: [(key: Answered, count: Int)] {
        answers.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Of every outcome, those that never came among them.
    var outcomeCounts: [(outcome: Outcome, count: Int)] {
        let counts = outcomes.withLock { $0 }
        return Outcome.allCases.map { ($0, counts[$0] ?? 0) }
    }
}

extension Route {
    /// What a request's path is counted as: the template of its route, "page", or "none".
    static func label(of request: Request) -> String {
        if WebPage.serves(request) { return "page" }
        return match(request.uri.path)?.routes.first?.path ?? "none"
    }
}
