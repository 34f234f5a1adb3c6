import ArgumentParser
import Foundation
import Gateway

/// How the API is served to clients.
struct APIOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Speak TLS with clients: the certificate and those between it and an authority (PEM). Read anew when it changes.",
            valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("The private key of --tls-cert (PEM, without a passphrase).", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Let web pages of this origin use the API, such as https://app.example; \"*\" for all. May be repeated.",
            valueName: "origin"))
    var corsOrigin: [String] = []

    @Option(
        help: ArgumentHelp(
            "How long answers may still take after a signal to end, in seconds; then they end with an error.",
            valueName: "seconds"))
    var shutdownGrace = 20

    @Option(
        help: ArgumentHelp(
            "Hold prompts and answers against the rules of this file (JSON): words, patterns, a system prompt, a moderation "
                + "endpoint. Requests that break one get a 400 with the code content_filter, answers end with that reason.",
            valueName: "file"))
    var filter: String?

    @Option(
        help: ArgumentHelp(
            "Write a line of JSON for every request that sends something to this file: who asked what when, what it cost, and "
                + "what the filter did.", valueName: "file"))
    var auditLog: String?

    @Flag(help: "Write prompts and answers to the audit log, too.")
    var auditText = false

    mutating func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key go together.")
        }
        for origin in corsOrigin where origin != "*" {
            let url = URL(string: origin)
            guard let url, let host = url.host, ["http", "https"].contains(url.scheme),
                origin == "\(url.scheme ?? "")://\(host)\(url.port.map { ":\($0)" } ?? "")"
            else {
                throw ValidationError(
                    "--cors-origin \(origin) is no origin: write it like https://app.example or http://localhost:3000, "
                        + "without a path.")
            }
        }
        if auditText, auditLog == nil { throw ValidationError("--audit-text goes with --audit-log.") }
        guard (0...86_400).contains(shutdownGrace) else {
            throw ValidationError("--shutdown-grace must be from 0 to 86400 seconds.")
        }
    }

    var isEncrypted: Bool { tlsCert != nil }

    func configuration(host: String, port: Int) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(host: host, port: port, version: ProductVersion.text)
        if let tlsCert, let tlsKey {
            configuration.tls = TLSFiles(certificatePath: tlsCert, keyPath: tlsKey)
        }
        configuration.corsOrigins = corsOrigin
        configuration.shutdownGraceMilliseconds = shutdownGrace * 1000
        return configuration
    }
}
