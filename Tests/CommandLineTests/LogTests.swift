import Foundation
import FoundationNetworking
import TestSupport
import Testing

/// `--log-format json` over a whole cluster.
struct LogTests {
    private struct Line {
        let component: String
        let message: String
        let metadata: [String: Any]

        /// Nil when the line is not an object with all that belongs to it.
        init?(_ text: Substring) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
                object["time"] is String, object["level"] is String, let component = object["component"] as? String,
                let message = object["message"] as? String, let metadata = object["metadata"] as? [String: Any]
            else { return nil }
            self.component = component
            self.message = message
            self.metadata = metadata
        }
    }

    @Test func `every line is a JSON object, and all nodes name the request and its trace`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("ready-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        let running = try Program.start([
            "up", "--model", "demo", "--workers", "2", "--port", "0", "--ready-file", file.path, "--log-format", "json",
            "--log-level", "debug",
        ])
        defer { running.cleanUp() }
        try await waitUntil("the cluster is ready") {
            guard running.process.isRunning else {
                throw Program.Failure(description: "phalanx up ended: \(running.text("errors"))")
            }
            return FileManager.default.fileExists(atPath: file.path)
        }
        let ready = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        let url = try #require((ready?["url"] as? String).flatMap { URL(string: $0 + "/v1/completions") })
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        try await ask(url, headers: ["X-Request-ID": "asked-7", "traceparent": "00-\(trace)-00f067aa0ba902b7-01"])
        running.process.terminate()
        let outcome = try await running.outcome()
        let texts = outcome.errors.split(separator: "\n")
        let lines = texts.compactMap(Line.init)
        #expect(lines.count == texts.count, "\(texts.first { Line($0) == nil } ?? "")")
        func logged(_ component: String, _ message: String) -> [Line] {
            lines.filter { line in
                line.component == component && line.message == message
                    && line.metadata["request_id"] as? String == "asked-7"
                    && line.metadata["trace_id"] as? String == trace
            }
        }
        #expect(logged("phalanx.gateway", "answered").count == 1)
        #expect(logged("phalanx.coordinator", "Admitted").count == 1)
        #expect(logged("phalanx.coordinator", "Finished").count == 1)
        let nodes = logged("phalanx.worker", "Admitted").compactMap { $0.metadata["node"] as? String }
        #expect(Set(nodes) == ["worker-0", "worker-1"])
    }

    private func ask(_ url: URL, headers: [String: String]) async throws {
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.httpBody = Data(#"{"prompt": "The capital of France is", "max_tokens": 4}"#.utf8)
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (_, response) = try await URLSession.shared.data(for: request)
        #expect((response as? HTTPURLResponse)?.statusCode == 200)
    }
}
