import Foundation
import TestSupport
import Testing

@testable import Trust

/// The folder that holds a cluster's secrets, and the tokens that let nodes in.
@Suite struct ClusterDirectoryTests {
    private let folder: TemporaryDirectory
    private let directory: ClusterDirectory

    init() throws {
        folder = try TemporaryDirectory()
        directory = ClusterDirectory(path: folder.url.appendingPathComponent("cluster").path)
        _ = try directory.makeCluster()
    }

    private func request() throws -> CertificateRequest { try CertificateRequest(der: NodeKey().certificateRequest()) }

    private func redeem(
        _ token: JoinToken, _ role: NodeRole = .worker, _ name: String = "w1"
    ) throws(TrustError) -> CertificateChain {
        let request: CertificateRequest
        do { request = try self.request() } catch { throw TrustError(.malformed, "\(error)") }
        return try directory.redeem(id: token.id, secret: token.secret, role: role, name: name, request: request)
    }

    private func code(_ body: () throws(TrustError) -> Void) -> TrustError.Code? {
        do throws(TrustError) {
            try body()
            return nil
        } catch { return error.code }
    }

    @Test func `only the owner can read what init writes, and it replaces nothing`() throws {
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path) + ["."] {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/" + path)
            let mode = try #require(attributes[.posixPermissions] as? Int)
            let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
            #expect(mode == (isFolder ? 0o700 : 0o600), "\(path): \(String(mode, radix: 8))")
        }
        let before = try directory.authority().certificate
        #expect(code { () throws(TrustError) in _ = try directory.makeCluster() } == .directory)
        #expect(try directory.authority().certificate == before)
    }

    @Test func `a key that others can read is not used`() throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: directory.authorityPath)
        #expect(code { () throws(TrustError) in _ = try directory.authority() } == .directory)
    }

    @Test func `credentials are read as they were stored`() throws {
        let made = try #require(try directory.credentials(.worker, name: "w1"))
        let read = try #require(try directory.credentials(.worker))
        #expect(read.chain == made.chain && read.key.derBytes == made.key.derBytes && read.trust == made.trust)
        #expect(try directory.credentials(.coordinator)?.identity.role == .coordinator)
        #expect(try directory.credentials(.gateway) == nil)
        _ = try directory.credentials(.worker, name: "w2")
        #expect(code { () throws(TrustError) in _ = try directory.credentials(.worker) } == .directory)
    }

    @Test func `a token lets one node in, once`() throws {
        let token = try JoinToken(directory.invite(.worker, name: nil, lifetime: 60).text + "\n")
        #expect(directory.expectsGuests)
        #expect(try redeem(token).identity.name == "w1")
        #expect(!directory.expectsGuests)
        #expect(code { () throws(TrustError) in _ = try redeem(token, .worker, "w2") } == .tokenRefused)
    }

    @Test func `of many who show a token at once, one is let in`() async throws {
        let token = try directory.invite(.worker, name: nil, lifetime: 60)
        let directory = directory
        let admitted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<16 {
                group.addTask {
                    guard let request = try? CertificateRequest(der: NodeKey().certificateRequest()) else {
                        return false
                    }
                    return
                        (try? directory.redeem(
                            id: token.id, secret: token.secret, role: .worker, name: "w\(index)", request: request))
                        != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(admitted == 1)
        #expect(try directory.issuedNodes().count == 2)
    }

    @Test func `a wrong secret, a late one, a wrong role and a taken name let nobody in`() throws {
        let token = try directory.invite(.worker, name: nil, lifetime: 60)
        let other = try directory.invite(.gateway, name: "front", lifetime: 60)
        #expect(
            code { () throws(TrustError) in
                _ = try directory.redeem(
                    id: token.id, secret: other.secret, role: .worker, name: "w1",
                    request: CertificateRequest(der: NodeKey().certificateRequest()))
            } == .tokenRefused)
        #expect(code { () throws(TrustError) in _ = try redeem(token, .gateway) } == .wrongRole)
        #expect(code { () throws(TrustError) in _ = try redeem(token, .worker, "coordinator") } == .nameTaken)
        #expect(code { () throws(TrustError) in _ = try redeem(token, .worker, "../evil") } == .malformed)
        // None of this used the tokens up; the one who invites chose the gateway's name.
        #expect(try redeem(token).identity.name == "w1")
        #expect(try redeem(other, .gateway, "mine").identity.name == "front")
        let late = try directory.invite(.worker, name: nil, lifetime: -1)
        #expect(code { () throws(TrustError) in _ = try redeem(late, .worker, "w3") } == .tokenRefused)
        directory.removeExpiredInvitations()
        #expect(!directory.expectsGuests)
        #expect(
            code { () throws(TrustError) in _ = try directory.invite(.worker, name: "w1", lifetime: 60) } == .nameTaken)
    }

    @Test func `the files do not hold the token's secret, and its description does not show it`() throws {
        let token = try directory.invite(.worker, name: nil, lifetime: 60)
        let secret = Data(token.secret)
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
            guard let data = FileManager.default.contents(atPath: directory.path + "/" + path) else { continue }
            #expect(data.range(of: secret) == nil && data.range(of: secret.base64EncodedData()) == nil)
            let numbers = "[" + token.secret.map(String.init).joined(separator: ",") + "]"
            #expect(!String(decoding: data, as: UTF8.self).contains(numbers))
        }
        #expect(!"\(token)".contains(token.text.dropFirst(9).prefix(40)))
    }

    @Test(arguments: [
        "", "phalanx1.", "phalanx1.AAAA", "K10abc::server:secret", String(repeating: "phalanx1.", count: 99),
    ])
    func `what is no token is refused`(text: String) {
        #expect(code { () throws(TrustError) in _ = try JoinToken(text) } == .malformed)
    }

    @Test func `a revoked node is not renewed and its name stays taken`() throws {
        let node = try redeem(directory.invite(.worker, name: "w1", lifetime: 60))
        #expect(try directory.renew(node.identity, for: request()).identity == node.identity)
        try directory.revoke("w1")
        #expect(directory.revokedNames() == ["w1"])
        #expect(
            code { () throws(TrustError) in
                _ = try directory.renew(
                    node.identity, for: CertificateRequest(der: NodeKey().certificateRequest()))
            } == .revoked)
        #expect(
            code { () throws(TrustError) in _ = try directory.invite(.worker, name: "w1", lifetime: 60) } == .revoked)
        #expect(code { () throws(TrustError) in try directory.revoke("nobody") } == .directory)
        #expect(code { () throws(TrustError) in try directory.revoke("coordinator") } == .directory)
    }

    @Test func `a rotation ends when every node shows a certificate of the new authority`() async throws {
        let worker = try #require(try directory.credentials(.worker, name: "w1"))
        let old = try #require(try directory.trust())
        try directory.beginRotation()
        #expect(code { () throws(TrustError) in try directory.beginRotation() } == .directory)
        #expect(try directory.finishRotation(force: false) == ["coordinator", "w1"])
        let both = try #require(try directory.trust())
        #expect(try await both.verify(worker.chain.der) == worker.identity)
        for name in ["coordinator", "w1"] {
            let role: NodeRole = name == "w1" ? .worker : .coordinator
            let chain = try directory.renew(
                NodeIdentity(cluster: old.cluster, role: role, name: name), for: request())
            // Also believed by a node that has not heard of the rotation.
            #expect(try await old.verify(chain.der) == chain.identity)
        }
        #expect(try directory.finishRotation(force: false) == [])
        let new = try #require(try directory.trust())
        await #expect(throws: TrustError.self) { try await new.verify(worker.chain.der) }
    }
}
