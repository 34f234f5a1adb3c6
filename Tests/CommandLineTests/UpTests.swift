import Foundation
import TestSupport
import Testing

/// `phalanx up`: a cluster of real processes.
@Suite(.serialized) struct UpTests {
    private func start(_ arguments: [String] = []) async throws -> (Program.Running, UpCluster) {
        try await UpCluster.start(workers: 2, arguments)
    }

    /// Whether the process exists and is no zombie.
    private func isAlive(_ processID: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8),
            let state = status.split(separator: ")").last?.split(separator: " ").first
        else { return false }
        return state != "Z"
    }

    @Test func `the ready file names the address, the processes and their layers`() async throws {
        let (running, ready) = try await start()
        defer { running.cleanUp() }
        #expect(ready.pid == running.process.processIdentifier)
        #expect(ready.workers.count == 2)
        #expect(ready.workers.flatMap(\.layers) == Array(0..<ready.workers.flatMap(\.layers).count))
        #expect(ready.workers.allSatisfy { isAlive($0.pid) && $0.pid != ready.pid })

        let status = try await Program.run(["status", "--url", ready.url, "--json"])
        #expect(try status.json()["state"] as? String == "ready")
        let direct = try await Program.run(["status", "--coordinator", ready.coordinator])
        #expect(direct.status == 0 && direct.output.contains("worker-1"), "\(direct.errors)")
        let answer = try await Program.run([
            "chat", "--url", ready.url, "--prompt", "What is the capital of France?", "--temperature", "0",
        ])
        #expect(answer.output.contains("Paris"), "\(answer.output) \(answer.errors)")

        running.process.terminate()
        let outcome = try await running.outcome()
        #expect(outcome.status == 0, "\(outcome.errors)")
        try await waitUntil("the workers end", seconds: 10) { ready.workers.allSatisfy { !isAlive($0.pid) } }
    }

    @Test func `pipelines side by side are started and shown when they are asked for`() async throws {
        let (running, ready) = try await start(["--replicas", "2"])
        defer { running.cleanUp() }
        #expect(ready.workers.isEmpty == false)
        try await waitUntil("both pipelines serve") {
            let status = try await Program.run(["status", "--url", ready.url, "--json"]).json()
            let workers = status["workers"] as? [[String: Any]] ?? []
            return workers.compactMap { $0["replica"] as? Int } == [0, 1]
                && workers.allSatisfy { $0["state"] as? String == "ready" }
        }
        let table = try await Program.run(["status", "--url", ready.url])
        #expect(table.output.contains("REPLICA"), "\(table.output)")
    }

    @Test func `the workers end with a coordinator that is killed`() async throws {
        let (running, ready) = try await start()
        defer { running.cleanUp() }
        kill(ready.pid, SIGKILL)
        try await waitUntil("the workers end", seconds: 10) { ready.workers.allSatisfy { !isAlive($0.pid) } }
    }

    @Test func `a gateway of its own process answers for the coordinator`() async throws {
        let (running, ready) = try await start()
        defer { running.cleanUp() }
        let gateway = try Program.start(["gateway", "--coordinator", ready.coordinator, "--port", "0"])
        defer { gateway.cleanUp() }
        var url = ""
        try await waitUntil("the gateway listens") {
            let words = gateway.text("errors").split(whereSeparator: { $0 == " " || $0 == "\n" })
            url = words.first { $0.hasPrefix("http://") }.map { String($0.dropLast("/v1".count)) } ?? ""
            return !url.isEmpty
        }
        let answer = try await Program.run([
            "chat", "--url", url, "--prompt", "What is the capital of Italy?", "--temperature", "0",
        ])
        #expect(answer.output.contains("Rome"), "\(answer.output) \(answer.errors)")
    }
}
