import ArgumentParser

/// Whether nodes may be reached from other machines.
struct BindOptions: ParsableArguments {
    @Flag(help: "Allow addresses beyond loopback, although nodes neither authenticate nor encrypt yet.")
    var insecure = false

    /// Throws unless `host` is a loopback address or the user said `--insecure`.
    func check(_ host: String, flag: String) throws {
        guard !insecure, !Self.isLoopback(host) else { return }
        throw ValidationError(
            "\(flag) \(host) can be reached from other machines, and nodes neither authenticate nor encrypt yet. "
                + "Use a loopback address such as 127.0.0.1, or say --insecure in a network that you trust.")
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
