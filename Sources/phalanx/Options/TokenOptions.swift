import ArgumentParser
import Foundation
import Trust

/// Where a new node has its join token from. Never an argument: everybody on the machine can read those.
struct TokenOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file with the join token of `phalanx cluster invite`, \"-\" for the standard input; or set "
                + "PHALANX_JOIN_TOKEN. Needed once: then this machine has credentials of its own.",
            valueName: "file"))
    var tokenFile: String?

    private static let variable = "PHALANX_JOIN_TOKEN"
    private static let maxByteCount = 4096

    private var environmentToken: String? {
        ProcessInfo.processInfo.environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether there is a token at all.
    var isGiven: Bool { tokenFile != nil || environmentToken != nil }

    /// Whether a node with these options speaks TLS: with credentials that it has, or is to get.
    func encrypts(with binding: BindOptions) -> Bool {
        binding.clusterDir != "none" && (binding.directory != nil || isGiven)
    }

    /// The token; nil when none was given. Throws what is wrong with it.
    func token() throws -> JoinToken? {
        guard let tokenFile else { return try environmentToken.map { try JoinToken($0) } }
        let file = tokenFile == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: tokenFile)
        guard let file, let bytes = try file.read(upToCount: Self.maxByteCount) else {
            throw CommandError("cannot read a join token from \(tokenFile): is it there, and may this user read it?")
        }
        if tokenFile != "-", Self.isReadableByOthers(tokenFile) {
            note("\(tokenFile) can be read by others until the token is used: chmod 600 \(tokenFile)")
        }
        return try JoinToken(String(decoding: bytes, as: UTF8.self))
    }

    private static func isReadableByOthers(_ path: String) -> Bool {
        let mode = try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        return (mode ?? 0) & 0o077 != 0
    }
}
