import AsyncHTTPClient
import Bench
import Foundation
import Synchronization
import Terminal

/// Sends the requests of a plan to a server and notes when the pieces of the answers come.
final class LoadGenerator: Sendable {
    private let plan: LoadPlan
    private let client: GatewayClient
    private let model: String
    private let bar: ProgressBar
    /// Pieces of measured answers so far, for the bar.
    private let pieceCount = Mutex(0)

    private init(plan: LoadPlan, client: GatewayClient, model: String, bar: ProgressBar) {
        self.plan = plan
        self.client = client
        self.model = model
        self.bar = bar
    }

    /// Puts the load on a server.
    ///
    /// - Parameter model: The name to ask for; nil for the first that the server lists.
    /// - Throws: `CommandError` when the server cannot be reached, or when a request of the warm-up fails.
    static func run(_ plan: LoadPlan, url: String, key: String?, model: String?, bar: ProgressBar) async throws
        -> LoadResult
    {
        var configuration = HTTPClient.Configuration()
        // A connection for each request under way; by default there are few, and the rest would wait.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = plan.concurrency
        // A server that is not there is an error at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        let connections = HTTPClient(configuration: configuration)
        defer { bar.clear() }
        do {
            let client = GatewayClient(url: url, key: key, connections: connections)
            let name = if let model { model } else { try await client.servedModel() }
            let result = try await LoadGenerator(plan: plan, client: client, model: name, bar: bar).run()
            try await connections.shutdown()
            return result
        } catch {
            try? await connections.shutdown()
            throw error
        }
    }

    private func run() async throws -> LoadResult {
        if plan.warmupCount > 0 {
            bar.show("warming up", fraction: 0)
            for outcome in await outcomes(
                of: plan.requestCount..<plan.requestCount + plan.warmupCount,
                arrivals: Array(repeating: 0, count: plan.warmupCount), showsProgress: false)
            {
                _ = try outcome.get()
            }
        }
        let began = ContinuousClock.now
        let outcomes = await outcomes(of: 0..<plan.requestCount, arrivals: plan.arrivals(), showsProgress: true)
        let seconds = (ContinuousClock.now - began).seconds
        var streams: [StreamRecord] = []
        var failures: [String: Int] = [:]
        for outcome in outcomes {
            switch outcome {
            case .success(let stream): streams.append(stream)
            case .failure(let error): failures["\(error)", default: 0] += 1
            }
        }
        return LoadResult(plan: plan, model: model, seconds: seconds, streams: streams, failures: failures)
    }

    /// Sends requests in order, each when it is due and at most `plan.concurrency` at a time.
    private func outcomes(
        of numbers: Range<Int>, arrivals: [Double], showsProgress: Bool
    ) async -> [Result<StreamRecord, any Error>] {
        let began = ContinuousClock.now
        return await withTaskGroup(of: Result<StreamRecord, any Error>.self) { group in
            var outcomes: [Result<StreamRecord, any Error>] = []
            for (position, number) in numbers.enumerated() {
                if position >= plan.concurrency, let outcome = await group.next() { outcomes.append(outcome) }
                group.addTask {
                    do {
                        try await Task.sleep(until: began.advanced(by: .seconds(arrivals[position])))
                        return .success(try await self.stream(number, began: began, showsProgress: showsProgress))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
    }

    private func stream(
        _ number: Int, began: ContinuousClock.Instant, showsProgress: Bool
    ) async throws -> StreamRecord {
        let prompt = plan.prompt(ofRequest: number)
        var pieces: [Double] = []
        let sent = (ContinuousClock.now - began).seconds
        let usage = try await client.complete(prompt, model: model, maxTokens: plan.outputTokenCount) {
            pieces.append((ContinuousClock.now - began).seconds)
            if showsProgress { showPiece(at: pieces[pieces.count - 1]) }
        }
        return StreamRecord(
            sent: sent, pieces: pieces, promptTokenCount: usage?.promptTokens ?? plan.promptTokenCount,
            cachedTokenCount: usage?.details?.cachedTokens ?? 0,
            outputTokenCount: usage?.completionTokens ?? pieces.count)
    }

    private func showPiece(at seconds: Double) {
        let count = pieceCount.withLock { count in
            count += 1
            return count
        }
        let rate = Number.text(Double(count) / max(seconds, 1e-3), fractionDigits: 0)
        bar.show(
            "measuring", detail: "\(rate) tokens/s",
            fraction: Double(count) / Double(plan.requestCount * plan.outputTokenCount))
    }
}
