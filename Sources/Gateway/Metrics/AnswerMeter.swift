import Inference
import Synchronization

/// Measures one request on its way through the engine, as its client sees it.
struct AnswerMeter {
    private let metrics: GatewayMetrics
    private let began: ContinuousClock.Instant
    /// When the latest token of each choice came.
    private var latest: [ContinuousClock.Instant?]
    private var hasTokens = false

    /// - Parameter began: When the request came in.
    init(_ metrics: GatewayMetrics, began: ContinuousClock.Instant, choiceCount: Int) {
        self.metrics = metrics
        self.began = began
        latest = Array(repeating: nil, count: choiceCount)
    }

    /// Notes an event of the choices that are numbered from `firstChoice` on.
    mutating func note(_ event: GenerationEvent, firstChoice: Int) {
        switch event {
        case .token(let choice, _):
            let now = ContinuousClock.now
            metrics.generatedTokenCount.add(1, ordering: .relaxed)
            if !hasTokens { metrics.timeToFirstToken.record(now - began) }
            hasTokens = true
            guard latest.indices.contains(firstChoice + choice) else { return }
            if let before = latest[firstChoice + choice] { metrics.timePerOutputToken.record(now - before) }
            latest[firstChoice + choice] = now
        case .completed(let usage):
            metrics.promptTokenCount.add(usage.promptTokenCount, ordering: .relaxed)
            metrics.cachedPromptTokenCount.add(usage.cachedTokenCount, ordering: .relaxed)
            metrics.queueTime.record(seconds: usage.queueMilliseconds / 1000)
            metrics.prefillTime.record(seconds: usage.prefillMilliseconds / 1000)
            metrics.decodeTime.record(seconds: usage.decodeMilliseconds / 1000)
        case .queued, .prefilled, .promptLogprobs, .finished, .embedding: break
        }
    }

    func end() {
        metrics.requestLatency.record(.now - began)
        metrics.ended(.completed)
    }

    func end(_ error: any Error) {
        metrics.ended(error is ClientGone || error is CancellationError ? .abandoned : .failed)
    }

    func refused() { metrics.ended(.refused) }
}
