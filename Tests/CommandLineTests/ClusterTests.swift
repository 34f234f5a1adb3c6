import Foundation
import TestSupport
import Testing

/// A cluster with certificates, of real processes.
@Suite(.serialized) struct ClusterTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

    private func cluster(_ arguments: [String], in name: String = "coordinator") async throws -> Program.Outcome {
        try await Program.run(["cluster"] + arguments + ["--cluster-dir", path(name)])
    }

    /// The modes of all files below a folder.
    private func modes(_ name: String) throws -> [String: Int] {
        var modes: [String: Int] = [:]
        for file in try FileManager.default.subpathsOfDirectory(atPath: path(name)) {
            let attributes = try FileManager.default.attributesOfItem(atPath: path(name) + "/" + file)
            modes[file] = (attributes[.posixPermissions] as? Int ?? 0) & 0o077
        }
        return modes
    }

    @Test func `workers and gateways join with tokens, and come back without`() async throws {
        #expect(try await cluster(["init"]).status == 0)
        let again = try await cluster(["init"])
        #expect(again.status == 1 && again.errors.contains("already"), "\(again.errors)")

        let coordinator = try Program.start([
            "coordinator", "--model", "demo", "--workers", "2", "--port", "0", "--http-port", "0",
            "--cluster-dir", path("coordinator"), "--log-level", "trace",
        ])
        defer { coordinator.cleanUp() }
        let address = try await coordinator.joinAddress()

        var tokens: [String] = []
        for _ in 0..<3 {
            let invitation = try await cluster(["invite"])
            #expect(invitation.status == 0 && invitation.output.hasPrefix("phalanx1."), "\(invitation.errors)")
            tokens.append(invitation.output.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let file = try folder.write(tokens[0] + "\n", to: "token")
        let common = ["worker", "--join", address, "--threads", "1", "--speed", "1e9", "--log-level", "trace"]
        let first = try Program.start(common + ["--name", "w1", "--cluster-dir", path("w1"), "--token-file", file])
        defer { first.cleanUp() }
        let second = try Program.start(
            common + ["--name", "w2", "--cluster-dir", path("w2")], environment: ["PHALANX_JOIN_TOKEN": tokens[1]])
        defer { second.cleanUp() }
        try await waitUntil("the model is served") { coordinator.text("errors").contains("Serving demo") }

        // What anybody on this machine could see.
        for process in [first, second, coordinator] {
            let arguments =
                FileManager.default.contents(atPath: "/proc/\(process.process.processIdentifier)/cmdline") ?? Data()
            #expect(!arguments.isEmpty)
            for token in tokens {
                #expect(arguments.range(of: Data(token.utf8)) == nil)
                #expect(!process.text("errors").contains(token.dropFirst(9)))
            }
            #expect(!process.text("errors").contains("PRIVATE KEY"))
        }
        for name in ["coordinator", "w1", "w2"] {
            for (file, mode) in try modes(name) { #expect(mode == 0, "\(name)/\(file)") }
        }

        // A used token is worth nothing, and without one nothing is said.
        let replay = try await Program.run(
            common + ["--name", "w3", "--cluster-dir", path("w3")], environment: ["PHALANX_JOIN_TOKEN": tokens[0]])
        #expect(replay.status == 1 && replay.errors.contains("it was used"), "\(replay.errors)")
        let stranger = try await Program.run(["status", "--coordinator", address])
        #expect(stranger.status == 1, "\(stranger.output)")

        let status = try await Program.run([
            "status", "--coordinator", address, "--cluster-dir", path("coordinator"), "--json",
        ])
        #expect(try status.json()["state"] as? String == "ready", "\(status.errors)")
        let url = try #require(coordinator.text("errors").firstMatch(of: /http:\/\/[0-9.:]+/)?.output)
        let answer = try await Program.run([
            "chat", "--url", String(url), "--prompt", "What is the capital of France?", "--temperature", "0",
        ])
        #expect(answer.output.contains("Paris"), "\(answer.output) \(answer.errors)")

        let invitation = try await cluster(["invite", "--role", "gateway", "--name", "front"])
        let gateway = try Program.start(
            ["gateway", "--coordinator", address, "--port", "0", "--cluster-dir", path("front"), "--token-file", "-"],
            input: invitation.output)
        defer { gateway.cleanUp() }
        var front = ""
        try await waitUntil("the gateway listens") {
            guard let match = gateway.text("errors").firstMatch(of: /at (http:\/\/[0-9.:]+)/) else { return false }
            front = String(match.output.1)
            return true
        }
        let other = try await Program.run([
            "chat", "--url", front, "--prompt", "What is the capital of Italy?", "--temperature", "0",
        ])
        #expect(other.output.contains("Rome"), "\(other.output) \(other.errors)")

        // A worker that has credentials needs no token and no name any more.
        second.process.terminate()
        _ = try await second.outcome()
        let back = try Program.start(common + ["--cluster-dir", path("w2")])
        defer { back.cleanUp() }
        try await waitUntil("the worker is back") {
            let status = try await Program.run([
                "status", "--coordinator", address, "--cluster-dir", path("front"), "--json",
            ])
            return status.output.contains("\"ready\"") && status.output.contains("w2")
        }

        let nodes = try await cluster(["nodes", "--json"])
        let rows = try #require(
            try JSONSerialization.jsonObject(with: Data(nodes.output.utf8)) as? [[String: String]])
        #expect(rows.compactMap { $0["name"] } == ["coordinator", "front", "w1", "w2"])
        #expect(try await cluster(["revoke", "w2"]).status == 0)
        #expect(try await cluster(["revoke", "nobody"]).status == 1)
        try await waitUntil("the revoked worker is shut out") {
            back.text("errors").contains("does not accept this node's certificate")
        }
    }

    @Test func `a cluster in one command speaks TLS when it is told to`() async throws {
        #expect(try await cluster(["init"]).status == 0)
        let ready = path("ready.json")
        let running = try Program.start([
            "up", "--model", "demo", "--workers", "2", "--port", "0", "--ready-file", ready,
            "--cluster-dir", path("coordinator"),
        ])
        defer { running.cleanUp() }
        try await waitUntil("the cluster is ready") {
            guard running.process.isRunning else { throw Program.Failure(description: running.text("errors")) }
            return FileManager.default.fileExists(atPath: ready)
        }
        struct Ready: Decodable { let url: String, coordinator: String }
        let addresses = try JSONDecoder().decode(Ready.self, from: Data(contentsOf: URL(fileURLWithPath: ready)))
        let answer = try await Program.run([
            "chat", "--url", addresses.url, "--prompt", "What is the capital of France?", "--temperature", "0",
        ])
        #expect(answer.output.contains("Paris"), "\(answer.output) \(answer.errors)")
        let plain = try await Program.run(["status", "--coordinator", addresses.coordinator])
        #expect(plain.status == 1 && plain.errors.contains("speaks TLS"), "\(plain.errors)")
        let nodes = try await cluster(["nodes"])
        #expect(nodes.output.contains("worker-0") && nodes.output.contains("worker-1"))
    }

    @Test func `plain text beyond loopback is refused, with the way to do better`() async throws {
        for arguments in [
            ["coordinator", "--model", "demo", "--bind", "0.0.0.0"], ["worker", "--join", "10.0.0.1:7070"],
            ["gateway", "--coordinator", "10.0.0.1:7070"],
        ] {
            let outcome = try await Program.run(arguments)
            #expect(outcome.status == 2 && outcome.errors.contains("phalanx cluster init"), "\(outcome.errors)")
        }
        let api = try await Program.run(["up", "--model", "demo", "--host", "0.0.0.0"])
        #expect(api.status == 2 && api.errors.contains("--insecure"), "\(api.errors)")
    }

    @Test func `mistakes with tokens are explained`() async throws {
        let outside = try await cluster(["invite"])
        #expect(outside.status == 1 && outside.errors.contains("cluster init"), "\(outside.errors)")
        #expect(try await cluster(["invite", "--valid", "forever"]).status == 2)
        let worker = ["worker", "--join", "127.0.0.1:1", "--speed", "1e9", "--cluster-dir", path("w")]
        let nothing = try await Program.run(worker)
        #expect(nothing.status == 1 && nothing.errors.contains("cluster invite"), "\(nothing.errors)")
        let missing = try await Program.run(worker + ["--token-file", path("absent")])
        #expect(missing.status == 1 && missing.errors.contains("absent"), "\(missing.errors)")
        let wrong = try await Program.run(worker, environment: ["PHALANX_JOIN_TOKEN": "phalanx1.wrong"])
        #expect(wrong.status == 1 && wrong.errors.contains("no join token"), "\(wrong.errors)")
        #expect(!wrong.errors.contains("phalanx1.wrong"))
    }
}
