import AsyncHTTPClient
import Crypto
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import SwiftASN1
import TestSupport
import Testing
import X509

@testable import Gateway

struct TLSTests {
    /// A self-signed certificate for localhost and its key, as PEM.
    private static func identity(_ name: String) throws -> (certificate: String, key: String) {
        let key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(name) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: Date() - 60, notValidAfter: Date() + 3600, issuer: subject, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions { SubjectAlternativeNames([.dnsName("localhost")]) },
            issuerPrivateKey: Certificate.PrivateKey(key))
        return (try certificate.serializeAsPEM().pemString, key.pemRepresentation)
    }

    private static func write(_ identity: (certificate: String, key: String), to folder: TemporaryDirectory) throws
        -> TLSFiles
    {
        let paths = ["certificate.pem", "key.pem"].map { folder.url.appendingPathComponent($0) }
        for (text, path) in zip([identity.certificate, identity.key], paths) { try Data(text.utf8).write(to: path) }
        return TLSFiles(certificatePath: paths[0].path, keyPath: paths[1].path)
    }

    private static func ask(_ port: Int, trusting certificate: String) async throws -> Int {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)))
        let client = HTTPClient(configuration: HTTPClient.Configuration(tlsConfiguration: tls))
        do {
            let response = try await client.execute(
                HTTPClientRequest(url: "https://localhost:\(port)/healthz"), timeout: .seconds(30))
            _ = try await response.body.collect(upTo: 1 << 20)
            try await client.shutdown()
            return Int(response.status.code)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    @Test func `clients speak TLS, and a new certificate is taken without a restart`() async throws {
        let folder = try TemporaryDirectory()
        let first = try Self.identity("first")
        let second = try Self.identity("second")
        let configuration = GatewayConfiguration(tls: try Self.write(first, to: folder))
        try await withGateway(configuration: configuration) { client in
            #expect(try await Self.ask(client.port, trusting: first.certificate) == 200)
            await #expect(throws: (any Error).self) { try await Self.ask(client.port, trusting: second.certificate) }
            await #expect(throws: (any Error).self) { try await client.get("/healthz") }
            _ = try Self.write(second, to: folder)
            #expect(try await Self.ask(client.port, trusting: second.certificate) == 200)
        }
    }

    @Test func `files that are no use are refused with their names`() throws {
        let folder = try TemporaryDirectory()
        let good = try Self.identity("good")
        let files = try Self.write((good.certificate, try Self.identity("other").key), to: folder)
        func problem(_ files: TLSFiles) -> String {
            do {
                _ = try CertificateFiles(files, logger: Logger(label: "test"))
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem(files).contains("does not belong"))
        #expect(problem(TLSFiles(certificatePath: "/nowhere/c.pem", keyPath: files.keyPath)).contains("/nowhere/c.pem"))
        #expect(problem(TLSFiles(certificatePath: files.keyPath, keyPath: files.keyPath)).contains("no certificate"))
        #expect(
            problem(TLSFiles(certificatePath: files.certificatePath, keyPath: files.certificatePath)).contains(
                "no private key"))
        withExtendedLifetime(folder) {}
    }
}
