import Foundation

/// One message of a talk, as OpenAI's API has it.
public struct ChatMessage: Hashable, Sendable, Codable {
    public enum Role: String, Hashable, Sendable, Codable {
        case system, user, assistant
    }

    public let role: Role
    public let content: String

    public init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}

/// How answers are sampled; nil leaves the choice to the gateway.
public struct ChatSettings: Hashable, Sendable, Codable {
    public var temperature: Double?
    public var topP: Double?
    public var maxTokens: Int?
    public var seed: Int?

    public init(temperature: Double? = nil, topP: Double? = nil, maxTokens: Int? = nil, seed: Int? = nil) {
        self.temperature = temperature
        self.topP = topP
        self.maxTokens = maxTokens
        self.seed = seed
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case temperature, seed
        case topP = "top_p"
        case maxTokens = "max_tokens"
    }

    /// Sets what has this name in the API; "default" unsets it. Throws `ChatMistake`.
    public mutating func set(_ name: String, to text: String) throws {
        let isDefault = text == "default"
        func number<Number: LosslessStringConvertible & Comparable>(
            _ kind: String, _ range: ClosedRange<Number>
        ) throws -> Number? {
            if isDefault { return nil }
            guard let value = Number(text), range.contains(value) else {
                throw ChatMistake("\(name) must be \(kind), or \"default\"")
            }
            return value
        }
        switch CodingKeys(rawValue: name) {
        case .temperature: temperature = try number("a number from 0 to 2", 0...2)
        case .topP: topP = try number("a number above 0, at most 1", Double.leastNonzeroMagnitude...1)
        case .maxTokens: maxTokens = try number("a whole number of at least 1", 1...Int.max)
        case .seed: seed = try number("a whole number of 64 bits", Int.min...Int.max)
        case nil:
            let names = CodingKeys.allCases.map(\.rawValue).sorted().joined(separator: ", ")
            throw ChatMistake("there is no setting \"\(PrintableText.of(name))\"; there are \(names)")
        }
    }

    /// "temperature 0.5, seed 7".
    public var text: String {
        let pairs: [(String, String?)] = [
            ("temperature", temperature.map { "\($0)" }), ("top_p", topP.map { "\($0)" }),
            ("max_tokens", maxTokens.map(String.init)), ("seed", seed.map(String.init)),
        ]
        let set = pairs.compactMap { name, value in value.map { "\(name) \($0)" } }
        return set.isEmpty ? "the gateway's own" : set.joined(separator: ", ")
    }
}

/// Something that was asked for and cannot be done, for people.
public struct ChatMistake: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// A talk: what was said, and how answers are made.
public struct ChatTranscript: Hashable, Sendable, Codable {
    public var system: String?
    public var settings: ChatSettings
    /// Questions and answers in turn; the system prompt is not among them.
    public var messages: [ChatMessage] = []

    private static let maxFileByteCount = 8 << 20

    public init(system: String?, settings: ChatSettings) {
        self.system = system
        self.settings = settings
    }

    /// What the model is given.
    public var prompt: [ChatMessage] {
        (system.map { [ChatMessage(role: .system, content: $0)] } ?? []) + messages
    }

    /// Takes the answers after the last question back; false when nothing was asked yet.
    public mutating func takeAnswerBack() -> Bool {
        guard let question = messages.lastIndex(where: { $0.role == .user }) else { return false }
        messages.removeSubrange((question + 1)...)
        return true
    }

    /// Writes the talk to a file that only its owner can read. Throws `ChatMistake`.
    public func save(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            throw ChatMistake("cannot write \(path): \(error.localizedDescription)")
        }
    }

    /// Reads a talk that was saved. Throws `ChatMistake`.
    public static func load(from path: String) throws -> ChatTranscript {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try file.read(upToCount: maxFileByteCount + 1) ?? Data()
        } catch {
            throw ChatMistake("cannot read \(path): \(error.localizedDescription)")
        }
        guard data.count <= maxFileByteCount else {
            throw ChatMistake("\(path) has more than \(ByteCount.text(maxFileByteCount)): it is no talk")
        }
        do {
            return try JSONDecoder().decode(ChatTranscript.self, from: data)
        } catch {
            throw ChatMistake("\(path) holds no talk: /save writes one")
        }
    }
}
