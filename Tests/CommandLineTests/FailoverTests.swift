import Foundation
import FoundationNetworking
import TestSupport
import Testing

/// Worker processes that are killed or stopped: every answer is that of an undisturbed run, bit for bit.
@Suite(.serialized) struct FailoverTests {
    enum Fault: CaseIterable {
        case kill, stop

        var signal: Int32 { self == .kill ? SIGKILL : SIGSTOP }
    }

    enum Moment: CaseIterable {
        case loading, prefill, decode, idle
    }

    private let session: URLSession = {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpMaximumConnectionsPerHost = 16
        configuration.timeoutIntervalForRequest = 120
        return URLSession(configuration: configuration)
    }()

    private func post(_ url: String, _ body: String) async throws -> [String: Any] {
        var request = URLRequest(url: try #require(URL(string: url)))
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        request.httpBody = Data(body.utf8)
        let data: Data = try await withCheckedThrowingContinuation { continuation in
            session.dataTask(with: request) { data, _, error in
                continuation.resume(with: error.map { .failure($0) } ?? .success(data ?? Data()))
            }.resume()
        }
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    /// Long prompts and answers, greedy and seeded, all tokens with their probabilities: six answers as text.
    private func answers(_ url: String) async throws -> [String] {
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for number in 0..<6 {
                let prompt = (0..<200).map { "\(3 + ($0 * 7 + number * 13) % 900)" }.joined(separator: ",")
                let body = """
                    {"model": "demo", "prompt": [\(prompt)], "max_tokens": 250, "ignore_eos": true, "logprobs": 2,
                    "temperature": \(number.isMultiple(of: 2) ? 0 : 0.9), "seed": \(number)}
                    """
                group.addTask {
                    let answer = try await post(url + "/v1/completions", body)
                    let choices = try #require(answer["choices"], "request \(number) got \(answer)")
                    let data = try JSONSerialization.data(withJSONObject: choices, options: .sortedKeys)
                    return (number, String(decoding: data, as: UTF8.self))
                }
            }
            var answers = [String](repeating: "", count: 6)
            for try await (number, answer) in group { answers[number] = answer }
            return answers
        }
    }

    private func count(_ name: String, _ url: String) async throws -> Int {
        try await Program.run(["status", "--url", url, "--json"]).json()[name] as? Int ?? 0
    }

    @Test(arguments: Moment.allCases, Fault.allCases)
    func `whatever happens to a worker at any moment, all answers are the same`(
        moment: Moment, fault: Fault
    ) async throws {
        let (running, cluster) = try await UpCluster.start(workers: 3, ["--replicas", "1"])
        defer {
            // A process that is stopped does not see its parent go.
            for worker in cluster.workers { kill(worker.pid, SIGKILL) }
            running.cleanUp()
        }
        let expected = try await answers(cluster.url)
        if moment == .loading {
            kill(cluster.workers[0].pid, SIGKILL)
            try await waitUntil("the others load") { running.text("errors").contains("worker-0 is lost") }
        }
        if moment == .idle || moment == .loading { kill(cluster.workers[1].pid, fault.signal) }
        let before = try await count("generatedTokenCount", cluster.url)
        async let found = answers(cluster.url)
        switch moment {
        case .loading, .idle: break
        case .prefill:
            try await waitUntil("requests run") { try await count("runningRequestCount", cluster.url) > 0 }
            kill(cluster.workers[1].pid, fault.signal)
        case .decode:
            try await waitUntil("tokens come") { try await count("generatedTokenCount", cluster.url) > before + 20 }
            kill(cluster.workers[1].pid, fault.signal)
        }
        let disturbed = try await found
        #expect(disturbed == expected)
        // A stopped one may be found by its silence, or by steps that wait for it.
        try await waitUntil("the worker is missed") {
            ["is lost", "failed"].contains { end in
                running.text("errors").contains("worker \(cluster.workers[1].id) \(end)")
            }
        }
    }
}
