public import Foundation

/// The folder of the API keys, readable by its owner alone: a file NAME.json for each, without the key itself.
///
/// Revoked and expired keys stay in it, so that taking the last one back does not open the door to everybody.
public struct ClientKeyDirectory: Hashable, Sendable {
    public let path: String

    /// More are a mistake.
    public static let maxCount = 4096

    public init(path: String) { self.path = path }

    /// Beside the cluster's credentials.
    public init(_ cluster: ClusterDirectory) { path = "\(cluster.path)/keys" }

    /// Makes a key and returns it; it cannot be had again.
    ///
    /// - Parameters:
    ///   - name: of the client; names of keys that are not good any more can be given again.
    ///   - lifetime: seconds from now; nil for no end.
    /// - Throws: `TrustError`: `nameTaken`, `malformed`, `directory`.
    public func create(
        _ name: String, limits: ClientLimits = ClientLimits(), lifetime: TimeInterval? = nil
    ) throws(TrustError) -> String {
        try Self.check(name)
        let earlier = try key(name)
        if let earlier, earlier.state(at: Date()) == .valid {
            throw TrustError(
                .nameTaken,
                "there is a key \"\(name)\" already: revoke it first with `phalanx keys revoke \(name)`, or choose another "
                    + "name")
        }
        guard earlier != nil || names().count < Self.maxCount else {
            throw TrustError(.directory, "\(path) holds \(Self.maxCount) keys: remove some that are not good any more")
        }
        try PrivateFile.makeFolder(path)
        let secret = ClientKey.draw()
        // To the second, as it is written.
        let now = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
        let entry = ClientKey(
            name: name, hash: ClientKey.hash(secret), creation: now, expiry: lifetime.map { now + $0 }, revocation: nil,
            limits: limits)
        try write(entry, replaces: earlier != nil)
        return secret
    }

    /// Makes a key good for nothing, from the next request on.
    ///
    /// - Throws: `TrustError` (`directory`) when there is none of that name.
    public func revoke(_ name: String) throws(TrustError) {
        try Self.check(name)
        guard var key = try key(name) else {
            throw TrustError(.directory, "there is no key \"\(name)\" in \(path): `phalanx keys list` shows them")
        }
        guard key.revocation == nil else { return }
        key.revocation = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
        try write(key, replaces: true)
    }

    /// All keys by name, with those that cannot be read apart.
    public func keys() -> (keys: [ClientKey], problems: [TrustError]) {
        var (keys, problems): ([ClientKey], [TrustError]) = ([], [])
        for name in names() {
            do throws(TrustError) {
                if let key = try key(name) { keys.append(key) }
            } catch { problems.append(error) }
        }
        return (keys, problems)
    }

    func names() -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    private func key(_ name: String) throws(TrustError) -> ClientKey? {
        guard let text = try PrivateFile.read(file(name)) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let key = try? decoder.decode(ClientKey.self, from: Data(text.utf8)), key.name == name else {
            throw TrustError(.directory, "\(file(name)) is damaged: remove it, and make the key anew")
        }
        return key
    }

    private func write(_ key: ClientKey, replaces: Bool) throws(TrustError) {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        guard let data = try? encoder.encode(key) else {
            throw TrustError(.directory, "the key \(key.name) cannot be written")
        }
        try PrivateFile.write(String(decoding: data, as: UTF8.self) + "\n", to: file(key.name), replaces: replaces)
    }

    private func file(_ name: String) -> String { "\(path)/\(name).json" }

    private static func check(_ name: String) throws(TrustError) {
        do throws(TrustError) { try NodeIdentity.check(name) } catch {
            throw TrustError(
                .malformed,
                "\"\(name.prefix(80))\" cannot be a key's name: use 1 to 63 letters, digits, '.', '_' and '-', beginning "
                    + "with a letter or digit")
        }
    }
}
