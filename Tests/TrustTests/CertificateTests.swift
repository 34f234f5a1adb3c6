import Foundation
import Testing
import X509

@testable import Trust

/// Authorities, the certificates that they sign, and whom those convince.
@Suite struct CertificateTests {
    private func leaf(
        _ authority: CertificateAuthority, _ role: NodeRole = .worker, _ name: String = "w1",
        lifetime: TimeInterval = 3600, now: Date = Date()
    ) throws -> (NodeKey, CertificateChain) {
        let key = NodeKey()
        let request = try CertificateRequest(der: key.certificateRequest())
        return (key, try authority.issue(role, name, for: request, lifetime: lifetime, now: now))
    }

    private func code(_ body: () async throws -> Void) async -> TrustError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? TrustError)?.code
        }
    }

    @Test func `a certificate says which node of which cluster holds it`() async throws {
        let authority = try CertificateAuthority()
        let (_, chain) = try leaf(authority, .gateway, "front-1")
        let identity = try await TrustBundle([authority.certificate]).verify(chain.der)
        #expect(identity == chain.identity)
        #expect(identity.role == .gateway && identity.name == "front-1" && identity.cluster == authority.cluster)
    }

    @Test func `another cluster's certificate convinces nobody`() async throws {
        let (own, other) = (try CertificateAuthority(), try CertificateAuthority())
        let (_, chain) = try leaf(other)
        #expect(await code { _ = try await TrustBundle([own.certificate]).verify(chain.der) } == .stranger)
    }

    @Test func `an expired certificate and one of the future convince nobody`() async throws {
        let authority = try CertificateAuthority()
        let trust = try TrustBundle([authority.certificate])
        let (_, old) = try leaf(authority, lifetime: 60, now: Date() - 120)
        #expect(await code { _ = try await trust.verify(old.der) } == .expired)
        let (_, early) = try leaf(authority, now: Date() + 3600)
        #expect(await code { _ = try await trust.verify(early.der) } == .stranger)
    }

    @Test func `a node's certificate signs no other`() async throws {
        let authority = try CertificateAuthority()
        let trust = try TrustBundle([authority.certificate])
        let (key, chain) = try leaf(authority)
        let request = try CertificateRequest(der: NodeKey().certificateRequest())
        let identity = try NodeIdentity(cluster: authority.cluster, role: .coordinator, name: "c")
        for isAuthority in [false, true] {
            let forged = try CertificateAuthority.sign(
                CertificateAuthority.distinguishedName("c"), key: request.publicKey, uri: identity.uri,
                isAuthority: isAuthority, lifetime: 3600, issuer: chain.certificates[0].subject, with: key)
            #expect(await code { _ = try await trust.verify([forged.der] + chain.der) } == .stranger)
        }
    }

    @Test func `an authority's own certificate is no node`() async throws {
        let authority = try CertificateAuthority()
        let shown = [authority.certificate.der]
        #expect(await code { _ = try await TrustBundle([authority.certificate]).verify(shown) } == .stranger)
    }

    @Test func `who knows only the old authority believes the new one, and the other way round while it is known`()
        async throws
    {
        let old = try CertificateAuthority()
        let new = try old.successor()
        let (_, before) = try leaf(old)
        let (_, after) = try leaf(new)
        let (early, both, late) = (
            try TrustBundle([old.certificate]), try TrustBundle([new.certificate, old.certificate]),
            try TrustBundle([new.certificate])
        )
        for trust in [early, both] {
            #expect(try await trust.verify(before.der).name == "w1")
            #expect(try await trust.verify(after.der).name == "w1")
        }
        #expect(try await late.verify(after.der).name == "w1")
        #expect(await code { _ = try await late.verify(before.der) } == .stranger)
        #expect(after.isIssued(by: both) && !before.isIssued(by: both))
    }

    @Test func `a request that its key did not sign is refused`() throws {
        let request = try NodeKey().certificateRequest()
        let key = try CertificateRequest(der: request).publicKey
        for index in request.indices {
            for bit in [UInt8(1), 0x80] {
                var damaged = request
                damaged[index] ^= bit
                // A signature can be written in more than one way; the key that it proves cannot.
                if let accepted = try? CertificateRequest(der: damaged) {
                    #expect(accepted.publicKey == key, "byte \(index), bit \(bit)")
                }
            }
        }
        var stolen = request
        stolen[request.count - 1] ^= 1
        #expect(throws: TrustError.self) { try CertificateRequest(der: stolen) }
        #expect(throws: TrustError.self) { try CertificateRequest(der: []) }
        #expect(throws: TrustError.self) { try CertificateRequest(der: [UInt8](repeating: 0x30, count: 100_000)) }
    }

    @Test func `a damaged certificate convinces nobody and crashes nothing`() async throws {
        let authority = try CertificateAuthority()
        let trust = try TrustBundle([authority.certificate])
        let (_, chain) = try leaf(authority)
        for index in chain.der[0].indices {
            var damaged = chain.der
            damaged[0][index] ^= 0x41
            #expect(await code { _ = try await trust.verify(damaged) } != nil, "byte \(index)")
        }
        #expect(await code { _ = try await trust.verify([]) } == .malformed)
        #expect(await code { _ = try await trust.verify(Array(repeating: chain.der[0], count: 100)) } == .malformed)
    }

    @Test(arguments: ["", "a/b", "..", "-x", "ä", "a b", String(repeating: "a", count: 64), "a\n"])
    func `a name that is no file name is refused`(name: String) {
        #expect(throws: TrustError.self) { try NodeIdentity(cluster: "0123456789abcdef", role: .worker, name: name) }
        #expect(NodeIdentity(uri: "phalanx://0123456789abcdef/worker/\(name)") == nil)
    }
}
