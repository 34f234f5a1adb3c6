import ArgumentParser
import Foundation
import Transport
import Trust

/// How nodes protect what they say, and whether they may be reached from other machines.
struct BindOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where this machine keeps its keys and certificates (default: $XDG_CONFIG_HOME/phalanx or "
                + "~/.config/phalanx, where there are some). With them nodes speak mutual TLS. \"none\" speaks plain text.",
            valueName: "dir"))
    var clusterDir: String?

    @Flag(
        help: """
            Allow addresses beyond loopback for what is neither encrypted nor authenticated: the OpenAI API, and nodes \
            without credentials.
            """)
    var insecure = false

    mutating func validate() throws {
        if let clusterDir, clusterDir.isEmpty { throw ValidationError("--cluster-dir must not be empty.") }
    }

    /// The directory that was named; nil when it was not, or when it shall be none.
    var namedDirectory: ClusterDirectory? {
        guard let clusterDir, clusterDir != "none" else { return nil }
        return ClusterDirectory(path: URL(fileURLWithPath: clusterDir).path)
    }

    /// The directory to use: the one that was named, or the user's own when there is something in it.
    var directory: ClusterDirectory? {
        if clusterDir == "none" { return nil }
        return namedDirectory ?? Self.defaultDirectory.flatMap { $0.exists ? $0 : nil }
    }

    /// What a node of this machine shows, of the first of these roles that it has; nil in plain text.
    static func ownSecurity(_ clusterDir: String?, as roles: [NodeRole]) throws -> TransportSecurity? {
        var binding = BindOptions()
        binding.clusterDir = clusterDir
        guard let directory = binding.directory else { return nil }
        for role in roles {
            if let credentials = try directory.credentials(role) { return try TransportSecurity(credentials) }
        }
        return nil
    }

    /// Where the API keys lie: in the directory that was named, or else in the user's own, whether there is anything in it
    /// yet or not.
    var clientKeys: ClientKeyDirectory? {
        guard clusterDir != "none" else { return nil }
        return (namedDirectory ?? Self.defaultDirectory).map { ClientKeyDirectory($0) }
    }

    /// Throws unless `host` is a loopback address, what is said there is protected, or the user said `--insecure`.
    func check(_ host: String, flag: String, isEncrypted: Bool) throws {
        guard !isEncrypted, !insecure, !Self.isLoopback(host) else { return }
        throw ValidationError(
            """
            \(flag) \(host) reaches other machines, and without credentials nodes neither encrypt nor know each other.
            Make a cluster with `phalanx cluster init` on the coordinator's machine, and let each other machine in with \
            a token of `phalanx cluster invite`; or use a loopback address such as 127.0.0.1; or say --insecure in a \
            network that you trust.
            """)
    }

    /// The same for the OpenAI API.
    func checkAPI(_ host: String, flag: String, isEncrypted: Bool) throws {
        guard !isEncrypted, !insecure, !Self.isLoopback(host) else { return }
        throw ValidationError(
            "\(flag) \(host) can be reached from other machines, and the OpenAI API is plain HTTP. Give it a certificate "
                + "with --tls-cert and --tls-key (and clients keys with `phalanx keys create`); or use a loopback address "
                + "such as 127.0.0.1 behind a proxy with TLS; or say --insecure in a network that you trust.")
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// By the XDG base directory specification, which has relative paths ignored.
    static var defaultDirectory: ClusterDirectory? {
        let environment = ProcessInfo.processInfo.environment
        if let config = environment["XDG_CONFIG_HOME"], config.hasPrefix("/") {
            return ClusterDirectory(path: config + "/phalanx")
        }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return ClusterDirectory(path: home + "/.config/phalanx")
    }
}
