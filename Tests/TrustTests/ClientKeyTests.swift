import Foundation
import TestSupport
import Testing

@testable import Trust

/// API keys, and the folder that keeps their hashes.
@Suite struct ClientKeyTests {
    private let folder: TemporaryDirectory
    private let directory: ClientKeyDirectory

    init() throws {
        folder = try TemporaryDirectory()
        directory = ClientKeyDirectory(path: folder.url.appendingPathComponent("cluster/keys").path)
    }

    private func code(_ body: () throws(TrustError) -> Void) -> TrustError.Code? {
        do throws(TrustError) {
            try body()
            return nil
        } catch { return error.code }
    }

    private func name(_ ring: ClientKeyRing, _ key: String, at date: Date = Date()) -> String? {
        ring.key(hash: ClientKey.hash(key), at: date)?.name
    }

    private func expectNoProblem(_ ring: inout ClientKeyRing) throws {
        let problems = try ring.refresh()
        #expect(problems.isEmpty)
    }

    @Test func `keys are long, differ, and are nowhere in the folder, which only the owner can read`() throws {
        let keys = try ["a", "b"].map { try directory.create($0) }
        #expect(keys[0] != keys[1])
        for key in keys { #expect(key.hasPrefix("phx-") && key.utf8.count == 47) }
        for file in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let path = directory.path + "/" + file
            let text = try String(contentsOfFile: path, encoding: .utf8)
            for key in keys { #expect(!text.contains(key.dropFirst(4))) }
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: directory.path)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }

    @Test func `keys are good from their making to their revocation, without a restart`() throws {
        var ring = ClientKeyRing(directory)
        try expectNoProblem(&ring)
        #expect(!ring.isRequired)
        let key = try directory.create("alice", limits: ClientLimits(requestsPerMinute: 3))
        try expectNoProblem(&ring)
        #expect(ring.isRequired && name(ring, key) == "alice" && name(ring, key + "x") == nil)
        #expect(ring.key(hash: ClientKey.hash(key), at: Date())?.limits.requestsPerMinute == 3)
        try directory.revoke("alice")
        _ = try ring.refresh()
        #expect(ring.isRequired && name(ring, key) == nil, "taking the last key back opens nothing")
        #expect(directory.keys().keys.map { $0.state(at: Date()) } == [.revoked])
        let next = try directory.create("alice")
        _ = try ring.refresh()
        #expect(name(ring, next) == "alice" && name(ring, key) == nil)
    }

    @Test func `a key expires`() throws {
        var ring = ClientKeyRing(directory)
        let key = try directory.create("alice", lifetime: 100)
        _ = try ring.refresh()
        #expect(name(ring, key) == "alice")
        #expect(name(ring, key, at: Date() + 101) == nil)
        #expect(directory.keys().keys[0].state(at: Date() + 101) == .expired)
    }

    @Test func `names are given once, and are file names`() throws {
        _ = try directory.create("alice")
        #expect(code { () throws(TrustError) in _ = try directory.create("alice") } == .nameTaken)
        for name in ["", "../x", ".x", "a/b", "é", String(repeating: "x", count: 64)] {
            #expect(code { () throws(TrustError) in _ = try directory.create(name) } == .malformed, "\(name)")
            #expect(code { () throws(TrustError) in try directory.revoke(name) } == .malformed, "\(name)")
        }
        #expect(code { () throws(TrustError) in try directory.revoke("bob") } == .directory)
    }

    @Test func `damaged files and those that others can read are good for nothing, and open nothing`() throws {
        let key = try directory.create("alice")
        let path = directory.path + "/alice.json"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        var ring = ClientKeyRing(directory)
        let problems = try ring.refresh()
        #expect(problems.map(\.code) == [.directory])
        #expect(ring.isRequired && name(ring, key) == nil)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Data("{".utf8).write(to: URL(fileURLWithPath: path))
        ring = ClientKeyRing(directory)
        let others = try ring.refresh()
        #expect(others.map(\.code) == [.directory])
        #expect(ring.isRequired && name(ring, key) == nil)
    }
}
