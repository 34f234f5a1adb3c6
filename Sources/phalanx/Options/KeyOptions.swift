import ArgumentParser
import Foundation

/// Where a command that asks a gateway has its API key from. Never an argument: everybody on the machine can read those.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file with the API key, where the gateway asks for one, \"-\" for the standard input; or set "
                + "PHALANX_API_KEY.", valueName: "file"))
    var apiKeyFile: String?

    private static let variable = "PHALANX_API_KEY"
    private static let maxByteCount = 4096

    /// The key; nil when none was given. Throws what is wrong with it.
    func key() throws -> String? {
        guard let apiKeyFile else {
            return try ProcessInfo.processInfo.environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
                .map { try Self.checked($0, from: Self.variable) }
        }
        let file = apiKeyFile == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: apiKeyFile)
        guard let file, let bytes = try? file.read(upToCount: Self.maxByteCount) else {
            throw CommandError("cannot read an API key from \(apiKeyFile): is it there, and may this user read it?")
        }
        return try Self.checked(String(decoding: bytes, as: UTF8.self), from: apiKeyFile)
    }

    private static func checked(_ text: String, from source: String) throws -> String {
        let key = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !key.isEmpty, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CommandError("\(source) holds no API key: a key is one word of letters, digits and signs")
        }
        return key
    }
}
