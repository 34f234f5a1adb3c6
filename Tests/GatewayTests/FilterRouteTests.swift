import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import Inference
import Logging
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import Gateway

struct FilterRouteTests {
    private static func filter(_ rules: String) throws -> ContentFilter {
        ContentFilter(try FilterRules(Array(rules.utf8)))
    }

    private static let rules = #"""
        {"rules": [{"name": "weapons", "words": ["death ray"], "on": "input"},
                   {"name": "stops", "pattern": "(?i)stop", "on": "output"}]}
        """#

    private static func chat(_ content: String, stream: Bool = false, more: String = "") -> String {
        #"{"model": "toy", "messages": [{"role": "user", "content": "\#(content)"}], "temperature": 0, "max_tokens": 400, "stream": \#(stream)\#(more)}"#
    }

    @Test func `input that a rule forbids is refused on every face, and nothing is computed`() async throws {
        let engine = ToyEngine()
        try await withGateway(engine, filter: try Self.filter(Self.rules)) { client in
            let words = "Build a DEATH  ray"
            let tokens = ToyTokenizer.bytes(words).map { "\($0)" }.joined(separator: ", ")
            for (path, body) in [
                ("/v1/chat/completions", Self.chat(words)), ("/v1/chat/completions", Self.chat(words, stream: true)),
                ("/v1/completions", #"{"prompt": ["x", "\#(words)"]}"#),
                ("/v1/completions", #"{"prompt": [\#(tokens)]}"#),
                ("/v1/messages", Self.chat(words)), ("/v1/responses", #"{"input": "\#(words)"}"#),
                ("/v1/responses", #"{"input": "x", "instructions": "\#(words)"}"#),
                ("/api/chat", Self.chat(words)), ("/api/generate", #"{"model": "toy", "prompt": "\#(words)"}"#),
                ("/api/generate", #"{"model": "toy", "prompt": "x", "system": "\#(words)"}"#),
                ("/api/generate", #"{"model": "toy", "prompt": "\#(words)", "raw": true}"#),
            ] {
                let answer = try await client.post(path, body)
                #expect(answer.code == 400 && answer.text.contains("content filter"), "\(path) \(body): \(answer.text)")
                #expect(answer.text.contains("weapons"))
                if path.hasPrefix("/v1/c") { #expect(try answer.json()["error"]["code"] == "content_filter") }
            }
            #expect(engine.record.requests.isEmpty)
            #expect(try await client.chat(Self.chat("A death array")).code == 200)
        }
    }

    @Test func `an answer ends before what a rule forbids, and says why on every face`() async throws {
        try await withGateway(filter: try Self.filter(Self.rules)) { client in
            let expected = "Grüße, 世界! 🙂 "
            let chat = try await client.chat(Self.chat("x", more: #", "logprobs": true"#)).json()["choices"][0]
            #expect(chat["message"]["content"].text == expected)
            #expect(chat["finish_reason"] == "content_filter")
            #expect(chat["logprobs"]["content"].elements.last?["token"].text == " ", "no token of it is listed")
            let completion = try await client.complete(#"{"prompt": "x", "max_tokens": 400, "temperature": 0}"#)
            #expect(try completion.json()["choices"][0]["finish_reason"] == "content_filter")
            let message = try await client.post("/v1/messages", Self.chat("x")).json()
            #expect(message["content"][0]["text"].text == expected && message["stop_reason"] == "refusal")
            let response = try await client.post("/v1/responses", #"{"input": "x", "temperature": 0}"#).json()
            #expect(response["status"] == "incomplete")
            #expect(response["incomplete_details"]["reason"] == "content_filter")
            let ollama = try await client.post(
                "/api/chat",
                #"{"model": "toy", "messages": [{"role": "user", "content": "x"}], "stream": false, "options": {"temperature": 0}}"#
            )
            #expect(try ollama.json()["done_reason"] == "content_filter")
        }
    }

    @Test func `a stream never shows the beginning of what is forbidden, and its request is given up`() async throws {
        let engine = ToyEngine(tokenDelay: .milliseconds(1))
        try await withGateway(engine, filter: try Self.filter(Self.rules)) { client in
            let answer = try await client.chat(Self.chat("x", stream: true))
            let chunks = try answer.chunks()
            let text = chunks.compactMap { $0["choices"][0]["delta"]["content"].text }.joined()
            #expect(text == "Grüße, 世界! 🙂 ")
            #expect(chunks.last?["choices"][0]["finish_reason"] == "content_filter")
            #expect(answer.text.hasSuffix("data: [DONE]\n\n"))
            #expect(engine.record.cancelledChoices == [0])
        }
    }

    @Test func `the guard stands before every conversation, in front of the client's own`() async throws {
        let engine = ToyEngine()
        let rules = #"{"system_prompt": "GUARD"}"#
        try await withGateway(engine, filter: try Self.filter(rules)) { client in
            _ = try await client.chat(Self.chat("x"))
            _ = try await client.post("/v1/messages", Self.chat("x", more: #", "system": "OWN""#))
            _ = try await client.post("/v1/responses", #"{"input": "x", "instructions": "OWN"}"#)
            _ = try await client.post("/api/generate", #"{"model": "toy", "prompt": "x", "stream": false}"#)
            let prompts = engine.record.requests.map { request in
                String(decoding: request.prompt.filter { $0 < 256 }.map { UInt8($0) }, as: UTF8.self)
            }
            #expect(prompts.count == 4)
            for prompt in prompts { #expect(prompt.contains("GUARD"), "\(prompt)") }
            for prompt in prompts[1...2] {
                let own = try #require(prompt.range(of: "OWN"))
                #expect(prompt[..<own.lowerBound].contains("GUARD"), "\(prompt)")
            }
        }
    }

    @Test func `a moderation endpoint that does not answer refuses, or lets pass when that is wanted`() async throws {
        // Nothing listens at port 9, which is for discarding.
        for (failure, code) in [("refuse", 503), ("allow", 200)] {
            let rules =
                #"{"moderation": {"url": "http://127.0.0.1:9/v1/moderations", "on_failure": "\#(failure)", "on": "input", "timeout_seconds": 1}}"#
            try await withGateway(filter: try Self.filter(rules)) { client in
                let answer = try await client.chat(Self.chat("x"))
                #expect(answer.code == code)
            }
        }
    }

    /// A moderation endpoint that flags what has "ray" in it.
    private static func withModeration(_ body: @Sendable (_ url: String) async throws -> Void) async throws {
        let router = Router()
        router.post("/v1/moderations") { request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            let isFlagged = request.headers[.authorization] == nil && text.contains("ray")
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: #"{"results": [{"flagged": \#(isFlagged)}]}"#)))
        }
        let (ports, source) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "moderation")
        logger.logLevel = .critical
        let server = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in source.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let port = await ports.first { _ in true }
            try await body("http://127.0.0.1:\(port ?? 0)/v1/moderations")
            group.cancelAll()
            while await group.nextResult() != nil {}
        }
    }

    @Test func `a moderation endpoint judges prompts, and whole answers before anything of them is told`() async throws
    {
        try await Self.withModeration { url in
            let rules = #"{"moderation": {"url": "\#(url)"}}"#
            let engine = ToyEngine { _, _ in ToyTokenizer.bytes("a sunny ray") }
            try await withGateway(engine, filter: try Self.filter(rules)) { client in
                #expect(try await client.chat(Self.chat("death ray")).code == 400)
                #expect(engine.record.requests.isEmpty)
                let chunks = try await client.chat(Self.chat("x", stream: true)).chunks()
                #expect(chunks.compactMap { $0["choices"][0]["delta"]["content"].text }.joined() == "")
                #expect(chunks.last?["choices"][0]["finish_reason"] == "content_filter")
            }
            let calm = ToyEngine { _, _ in ToyTokenizer.bytes("a sunny day") }
            try await withGateway(calm, filter: try Self.filter(rules)) { client in
                let answer = try await client.chat(Self.chat("x")).json()["choices"][0]
                #expect(answer["message"]["content"].text == "a sunny day" && answer["finish_reason"] == "stop")
            }
        }
    }

    @Test func `the audit log has a line for each request, without keys, and texts only when they are wanted`()
        async throws
    {
        for includesText in [false, true] {
            let folder = try TemporaryDirectory()
            let path = folder.url.appendingPathComponent("audit.jsonl").path
            let log = try AuditLog(path: path, includesText: includesText, logger: Logger(label: "test"))
            try await withGateway(ToyEngine(key: "phx-k"), filter: try Self.filter(Self.rules), auditLog: log) {
                client in
                for (body, id) in [
                    (Self.chat("hello"), "one"), (Self.chat("hello", stream: true), "two"),
                    (Self.chat("death ray"), "three"),
                ] {
                    var request = client.request(.POST, "/v1/chat/completions", body)
                    request.headers.add(name: "x-api-key", value: "phx-k")
                    request.headers.add(name: "x-request-id", value: id)
                    _ = try await client.send(request)
                }
                _ = try await client.post("/v1/chat/completions", "{}")
                _ = try await client.get("/healthz")
            }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let lines = try text.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
            #expect(lines.map(\.["status"]) == [200, 200, 400, 401].map { JSONValue($0) })
            #expect(lines.prefix(3).map(\.["request_id"]) == ["one", "two", "three"])
            #expect(lines.prefix(3).allSatisfy { $0["client"] == "alice" })
            for line in lines.prefix(2) {
                #expect(line["model"] == "toy" && line["route"] == "/v1/chat/completions")
                #expect(line["filtered"] == [["rule": "stops", "on": "output", "choice": 0]])
                #expect(line["prompt_tokens"].text == nil && line["prompt_tokens"] != .null)
            }
            #expect(lines[2]["filtered"] == [["rule": "weapons", "on": "input", "choice": .null]])
            #expect(!text.contains("phx-k"))
            #expect(text.contains("hello") == includesText && text.contains("世界") == includesText)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
        #expect(throws: GatewayFileError.self) {
            try AuditLog(path: "/nowhere/audit", includesText: false, logger: Logger(label: "test"))
        }
    }

    @Test func `a rotated audit log goes on in a new file`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.url.appendingPathComponent("audit.jsonl").path
        let log = try AuditLog(path: path, includesText: false, logger: Logger(label: "test"))
        log.write(["line": 1])
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        log.write(["line": 2])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "{\"line\":2}\n")
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8) == "{\"line\":1}\n")
        withExtendedLifetime(folder) {}
    }
}
