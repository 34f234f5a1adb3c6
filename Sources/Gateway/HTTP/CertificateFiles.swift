import Foundation
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// Where the certificate lies that clients are shown, and its key.
public struct TLSFiles: Hashable, Sendable {
    /// PEM: the server's certificate, and those between it and an authority that clients know.
    public var certificatePath: String
    /// PEM, without a passphrase.
    public var keyPath: String

    public init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

/// The certificate for clients. When its files change, new connections are shown the new one.
final class CertificateFiles: Sendable {
    /// Tells versions of a file apart.
    private struct Stamp: Hashable {
        var inode: Int?
        var byteCount: Int?
        var change: Date?

        init(_ path: String) {
            // Certificates are renewed by turning a link to other files.
            let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let attributes = try? FileManager.default.attributesOfItem(atPath: resolved)
            inode = attributes?[.systemFileNumber] as? Int
            byteCount = attributes?[.size] as? Int
            change = attributes?[.modificationDate] as? Date
        }
    }

    private struct State {
        var stamps: [Stamp]
        var identity: (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey)
    }

    private let files: TLSFiles
    private let logger: Logger
    private let state: Mutex<State>

    /// Throws `GatewayFileError` when the files cannot be read, are something else or do not belong together.
    init(_ files: TLSFiles, logger: Logger) throws {
        self.files = files
        self.logger = logger
        state = Mutex(State(stamps: Self.stamps(files), identity: try Self.load(files)))
    }

    /// For a server: TLS 1.2 and newer.
    var configuration: TLSConfiguration {
        let identity = current()
        var configuration = Self.configuration(identity.chain, identity.key)
        configuration.sslContextCallback = { [self] _, promise in
            let identity = current()
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = identity.chain.map { .certificate($0) }
            override.privateKey = .privateKey(identity.key)
            promise.succeed(override)
        }
        return configuration
    }

    private func current() -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        let stamps = Self.stamps(files)
        return state.withLock { state in
            guard stamps != state.stamps else { return state.identity }
            state.stamps = stamps
            do {
                state.identity = try Self.load(files)
                logger.notice("took the new certificate", metadata: ["file": "\(files.certificatePath)"])
            } catch {
                // They may be written one after the other: the second change comes soon.
                logger.error("went on with the old certificate", metadata: ["error": "\(error)"])
            }
            return state.identity
        }
    }

    private static func stamps(_ files: TLSFiles) -> [Stamp] { [Stamp(files.certificatePath), Stamp(files.keyPath)] }

    private static func configuration(_ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }

    private static func load(_ files: TLSFiles) throws -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        for path in [files.certificatePath, files.keyPath] where !FileManager.default.isReadableFile(atPath: path) {
            throw GatewayFileError("cannot read \(path): is it there, and may this user read it?")
        }
        guard let chain = try? NIOSSLCertificate.fromPEMFile(files.certificatePath), !chain.isEmpty else {
            throw GatewayFileError("\(files.certificatePath) holds no certificate in PEM format")
        }
        guard let key = try? NIOSSLPrivateKey(file: files.keyPath, format: .pem) else {
            throw GatewayFileError("\(files.keyPath) holds no private key in PEM format that needs no passphrase")
        }
        guard (try? NIOSSLContext(configuration: configuration(chain, key))) != nil else {
            throw GatewayFileError(
                "the key in \(files.keyPath) does not belong to the certificate in \(files.certificatePath)")
        }
        return (chain, key)
    }
}
