import Foundation
import TestSupport
import Testing

/// `phalanx keys`, and a cluster that asks for them.
@Suite(.serialized) struct KeysTests {
    @Test func `keys are made, listed and revoked, and a running cluster follows`() async throws {
        let folder = try TemporaryDirectory()
        let ready = folder.url.appendingPathComponent("ready.json").path
        let config = ["XDG_CONFIG_HOME": folder.url.appendingPathComponent("config").path]
        let cluster = try Program.start(
            ["up", "--model", "demo", "--workers", "1", "--port", "0", "--ready-file", ready], environment: config)
        defer { cluster.cleanUp() }
        try await waitUntil("the cluster serves") { FileManager.default.fileExists(atPath: ready) }
        let file = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: ready)))
        let url = try #require((file as? [String: Any])?["url"] as? String)
        func status(key: String? = nil) async throws -> Program.Outcome {
            let key = key.map { ["PHALANX_API_KEY": $0] } ?? [:]
            return try await Program.run(["status", "--url", url], environment: config.merging(key) { $1 })
        }
        #expect(try await status().status == 0)

        let made = try await Program.run(
            ["keys", "create", "alice", "--requests-per-minute", "1"], environment: config)
        let key = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(made.status == 0 && key.hasPrefix("phx-"))
        let listed = try await Program.run(["keys", "list"], environment: config)
        #expect(listed.output.contains("alice") && listed.output.contains("valid") && !listed.output.contains(key))
        let refused = try await status()
        #expect(refused.status == 1 && refused.errors.contains("API key"))
        #expect(try await status(key: key).status == 0)

        let keyFile = folder.url.appendingPathComponent("key")
        try Data((key + "\n").utf8).write(to: keyFile)
        let chat = ["chat", "--url", url, "--prompt", "Hello!", "-n", "4", "--api-key-file", keyFile.path]
        #expect(try await Program.run(chat).status == 0)
        let limited = try await Program.run(chat)
        #expect(limited.status == 1 && limited.errors.contains("1 requests per minute"))

        let revoked = try await Program.run(["keys", "revoke", "alice"], environment: config)
        #expect(revoked.status == 0)
        #expect(try await status(key: key).status == 1)
        #expect(!cluster.text("errors").contains(key))
        withExtendedLifetime(folder) {}
    }

    @Test func `wrong use is explained`() async throws {
        let zero = try await Program.run(["keys", "create", "x", "--concurrent", "0"])
        #expect(zero.status == 2 && zero.errors.contains("--concurrent"))
        let missing = try await Program.run(["keys", "revoke", "nobody"])
        #expect(missing.status == 1 && missing.errors.contains("keys list"))
    }
}
