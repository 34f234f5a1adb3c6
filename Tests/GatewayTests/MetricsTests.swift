import AsyncHTTPClient
import Inference
import NIOHTTP1
import Testing

@testable import Gateway

struct MetricsTests {
    /// The samples of a page: name with labels, and value.
    private static func samples(_ client: GatewayClient) async throws -> [String: Double] {
        let answer = try await client.get("/metrics")
        #expect(answer.code == 200)
        #expect(answer.headers.first(name: "content-type") == "text/plain; version=0.0.4; charset=utf-8")
        var samples: [String: Double] = [:]
        for line in answer.text.split(separator: "\n") where !line.hasPrefix("#") {
            let space = try #require(line.lastIndex(of: " "))
            let name = String(line[..<space])
            #expect(samples[name] == nil, "\(name) comes twice")
            samples[name] = Double(line[space...].dropFirst())
        }
        return samples
    }

    @Test func `labels are escaped and numbers written as Prometheus reads them`() {
        var text = MetricsText()
        text.begin("a_total", .counter, "Line\nand \\ \"quoted\".")
        text.add(3, ["name": "a\"b\\c\nd", "other": "é"])
        text.add(.infinity)
        text.add(-.infinity)
        text.add(.nan)
        text.add(0.25)
        text.add(1e300)
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == #"""
                # HELP a_total Line\nand \\ "quoted".
                # TYPE a_total counter
                a_total{name="a\"b\\c\nd",other="é"} 3
                a_total +Inf
                a_total -Inf
                a_total NaN
                a_total 0.25
                a_total 1e+300

                """#)
    }

    @Test func `a histogram counts what is at most a bound, and everything at the end`() {
        let histogram = LatencyHistogram(bounds: [0.5, 1])
        for seconds in [-1, 0.5, 0.75, 8] { histogram.record(seconds: seconds) }
        var text = MetricsText()
        text.add("t_seconds", histogram, "Time.")
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n").dropFirst(2)
        #expect(
            Array(lines) == [
                #"t_seconds_bucket{le="0.5"} 2"#, #"t_seconds_bucket{le="1"} 3"#, #"t_seconds_bucket{le="+Inf"} 4"#,
                "t_seconds_sum 9.25", "t_seconds_count 4",
            ])
    }

    @Test func `requests and their tokens are counted, whole and streamed`() async throws {
        try await withGateway { client in
            let before = try await Self.samples(client)
            #expect(before["phalanx_generation_tokens_total"] == 0)
            #expect(before["phalanx_requests_total{outcome=\"completed\"}"] == 0)
            let body = #"{"prompt": "Hello", "temperature": 0, "max_tokens": 5"#
            _ = try await client.complete(body + "}")
            _ = try await client.complete(body + #", "stream": true, "n": 2}"#)
            let after = try await Self.samples(client)
            #expect(after["phalanx_generation_tokens_total"] == 15)
            #expect(after["phalanx_prompt_tokens_total"] == 10)
            #expect(after["phalanx_cached_prompt_tokens_total"] == 6)
            #expect(after["phalanx_requests_total{outcome=\"completed\"}"] == 2)
            #expect(after["phalanx_time_to_first_token_seconds_count"] == 2)
            // Between the tokens of each of three choices.
            #expect(after["phalanx_time_per_output_token_seconds_count"] == 12)
            #expect(after["phalanx_e2e_request_latency_seconds_bucket{le=\"+Inf\"}"] == 2)
            #expect(
                after["phalanx_http_requests_total{route=\"/v1/completions\",method=\"POST\",code=\"200\"}"] == 2)
            #expect((after["phalanx_http_connections"] ?? 0) >= 1)
        }
    }

    @Test func `clients cannot make up series`() async throws {
        try await withGateway { client in
            for path in ["/a", "/b?x=1", "/v1/models/none", "/v1/models/nothing", "/page/page.css"] {
                _ = try await client.get(path)
            }
            _ = try await client.send(client.request(.PROPFIND, "/a"))
            let samples = try await Self.samples(client)
            let named = samples.filter { $0.key.hasPrefix("phalanx_http_requests_total") }
            func name(_ route: String, _ method: String, _ code: Int) -> String {
                "phalanx_http_requests_total{route=\"\(route)\",method=\"\(method)\",code=\"\(code)\"}"
            }
            #expect(named[name("none", "GET", 404)] == 2)
            #expect(named[name("none", "other", 404)] == 1)
            #expect(named[name("/v1/models/{id}", "GET", 404)] == 2)
            #expect(named[name("page", "GET", 200)] == 1)
            #expect(named.count == 4)
        }
    }

    @Test func `what is refused and what fails is counted apart`() async throws {
        let refusal = EngineError(code: .overloaded, message: "too many")
        try await withGateway(ToyEngine(refusal: refusal)) { client in
            _ = try await client.complete(#"{"prompt": "Hello"}"#)
            let samples = try await Self.samples(client)
            #expect(samples["phalanx_requests_total{outcome=\"refused\"}"] == 1)
            #expect(samples["phalanx_requests_total{outcome=\"failed\"}"] == 0)
        }
        let breakdown = EngineError(code: .internal, message: "broken")
        try await withGateway(ToyEngine(breakdown: (2, breakdown))) { client in
            _ = try await client.complete(#"{"prompt": "Hello", "stream": true}"#)
            let samples = try await Self.samples(client)
            #expect(samples["phalanx_requests_total{outcome=\"failed\"}"] == 1)
            #expect(samples["phalanx_generation_tokens_total"] == 2)
        }
    }

    @Test func `the gateway's own figures are there while the coordinator is away`() async throws {
        let silent = EngineError(code: .unavailable, message: "no coordinator")
        try await withGateway(ToyEngine(silence: silent)) { client in
            let samples = try await Self.samples(client)
            #expect(samples["phalanx_coordinator_up"] == 0)
            #expect(samples["phalanx_requests_running"] == nil)
            #expect((samples["process_resident_memory_bytes"] ?? 0) > 0)
            #expect((samples["process_open_fds"] ?? 0) > 0)
        }
    }

    @Test func `workers are told one by one`() {
        let worker = WorkerStatus(
            id: NodeID("w\"1"), address: "10.0.0.2:7071", processID: 7, state: .ready, replica: 0,
            layers: LayerRange(first: 0, end: 4), threadCount: 2, memoryLimitByteCount: 2048, memoryByteCount: 1024,
            loadedFraction: 1, tokensPerSecond: 10, busyFraction: 0.5, bubbleFraction: 0.25, busySeconds: 1.5,
            rowCount: 15, silentSeconds: 0.125, detail: nil)
        var lost = worker
        lost.id = NodeID("w2")
        lost.state = .lost
        lost.layers = nil
        var text = MetricsText()
        MetricsReport(metrics: GatewayMetrics(), process: nil, status: nil, version: "1").add([worker, lost], &text)
        let lines = Set(String(decoding: text.bytes, as: UTF8.self).split(separator: "\n").map(String.init))
        for line in [
            #"phalanx_worker_info{worker="w\"1",address="10.0.0.2:7071",replica="0",layers="0-3"} 1"#,
            #"phalanx_worker_state{worker="w\"1",state="ready"} 1"#, #"phalanx_worker_up{worker="w\"1"} 1"#,
            #"phalanx_worker_up{worker="w2"} 0"#, #"phalanx_worker_busy_seconds_total{worker="w\"1"} 1.5"#,
            #"phalanx_worker_last_heard_seconds{worker="w2"} 0.125"#,
            #"phalanx_worker_memory_bytes{worker="w2"} 1024"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }
}
