import Foundation

/// What a rules file says.
///
///     {
///       "system_prompt": "Never give medical advice.",
///       "rules": [
///         {"name": "secrets", "words": ["project falcon"], "on": "both"},
///         {"name": "cards", "pattern": "\\b(?:\\d[ -]?){15}\\d\\b", "on": "output"}
///       ],
///       "moderation": {
///         "url": "https://moderation.example/v1/moderations", "model": "m", "api_key_file": "/etc/phalanx/moderation-key",
///         "timeout_seconds": 5, "on": "both", "on_failure": "refuse"
///       }
///     }
struct FilterRules: Hashable, Sendable {
    /// The rules for one direction.
    struct Side: Hashable, Sendable {
        var words = WordTrie()
        var patterns = PatternProgram()
    }

    struct Moderation: Hashable, Sendable {
        var url: String
        var model: String?
        var key: String?
        var timeoutMilliseconds: Int
        var checksInput: Bool
        var checksOutput: Bool
        /// What happens to a text when nobody answers.
        var refusesOnFailure: Bool
    }

    /// Put before every conversation.
    var systemPrompt: String?
    var names: [String] = []
    var input = Side()
    var output = Side()
    var moderation: Moderation?

    static let maxByteCount = 16 << 20
    static let maxRuleCount = 1024
    static let maxWordCount = 100_000

    /// Throws `GatewayFileError`, which says what is wrong and where.
    init(_ bytes: [UInt8]) throws {
        let value: JSONValue
        do {
            value = try JSONReader.read(bytes)
        } catch let failure as JSONReader.Failure {
            throw GatewayFileError("no valid JSON: \(failure.message), at byte \(failure.offset)")
        }
        do {
            let fields = try Self.fields(value, ["system_prompt", "rules", "moderation"], path: "the file")
            systemPrompt = try fields.string("system_prompt")
            let rules = try fields.array("rules") ?? []
            guard rules.count <= Self.maxRuleCount else {
                throw GatewayFileError("there may be at most \(Self.maxRuleCount) rules")
            }
            for (index, rule) in rules.enumerated() { try add(rule, path: "rules[\(index)]") }
            if let object = try fields.object("moderation") { moderation = try Self.moderation(object) }
        } catch let error as APIError { throw GatewayFileError(error.message) }
        guard systemPrompt != nil || !names.isEmpty || moderation != nil else {
            throw GatewayFileError("nothing to do: give 'rules', 'system_prompt' or 'moderation'")
        }
    }

    private static func fields(_ value: JSONValue, _ known: Set<String>, path: String) throws -> RequestFields {
        guard case .object(let object) = value else {
            throw GatewayFileError("\(path) must be an object, but it is \(value.kind)")
        }
        if let unknown = object.members.first(where: { !known.contains($0.key) }) {
            throw GatewayFileError(
                "\(path) has '\(unknown.key.prefix(64))', which is not known; known are "
                    + known.sorted().joined(separator: ", "))
        }
        return RequestFields(object: object)
    }

    private static func sides(_ fields: RequestFields, path: String) throws -> (input: Bool, output: Bool) {
        switch try fields.string("on") ?? "both" {
        case "both": (true, true)
        case "input": (true, false)
        case "output": (false, true)
        default: throw GatewayFileError("\(path).on must be input, output or both")
        }
    }

    private mutating func add(_ value: JSONValue, path: String) throws {
        let fields = try Self.fields(value, ["name", "words", "pattern", "on"], path: path)
        guard let name = try fields.string("name"), (1...64).contains(name.utf8.count) else {
            throw GatewayFileError("\(path).name must be a string of 1 to 64 bytes")
        }
        let sides = try Self.sides(fields, path: path)
        let words = try fields.array("words")
        let pattern = try fields.string("pattern")
        guard (words == nil) != (pattern == nil) else {
            throw GatewayFileError("\(path) must have either 'words' or 'pattern'")
        }
        names.append(name)
        let rule = names.count - 1
        if let words { try add(words: words, rule, sides, path: "\(path).words") }
        guard let pattern else { return }
        let tree: PatternTree
        do throws(PatternError) {
            tree = try PatternParser.parse(pattern)
        } catch {
            throw GatewayFileError("\(path).pattern: \(error.message), at character \(error.offset)")
        }
        let fits =
            (!sides.input || input.patterns.add(tree, rule: rule))
            && (!sides.output || output.patterns.add(tree, rule: rule))
        guard fits else {
            throw GatewayFileError(
                "\(path).pattern: all patterns together are too large; use fewer or smaller repetitions")
        }
    }

    private mutating func add(
        words: [JSONValue], _ rule: Int, _ sides: (input: Bool, output: Bool), path: String
    ) throws {
        guard words.count <= Self.maxWordCount else {
            throw GatewayFileError("\(path) may hold at most \(Self.maxWordCount) words")
        }
        for (index, word) in words.enumerated() {
            guard case .string(let text) = word, text.unicodeScalars.count <= ContentFilter.longestMatch / 4,
                !sides.input || input.words.add(text, rule: rule), !sides.output || output.words.add(text, rule: rule)
            else {
                throw GatewayFileError(
                    "\(path)[\(index)] must be a word or phrase of 1 to \(ContentFilter.longestMatch / 4) characters, "
                        + "without white space at its end")
            }
        }
    }

    private static func moderation(_ object: JSONObject) throws -> Moderation {
        let fields = try Self.fields(
            .object(object), ["url", "model", "api_key_file", "timeout_seconds", "on", "on_failure"], path: "moderation"
        )
        guard let url = try fields.string("url"), let parsed = URL(string: url), parsed.host != nil,
            ["http", "https"].contains(parsed.scheme)
        else { throw GatewayFileError("moderation.url must be an address such as https://HOST/v1/moderations") }
        let key = try fields.string("api_key_file").map { path in
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw GatewayFileError("moderation.api_key_file: cannot read \(path)")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let sides = try Self.sides(fields, path: "moderation")
        let failure = try fields.string("on_failure") ?? "refuse"
        guard ["refuse", "allow"].contains(failure) else {
            throw GatewayFileError("moderation.on_failure must be refuse or allow")
        }
        return Moderation(
            url: url, model: try fields.string("model"), key: key,
            timeoutMilliseconds: 1000 * (try fields.integer("timeout_seconds", 1...60) ?? 5),
            checksInput: sides.input, checksOutput: sides.output, refusesOnFailure: failure == "refuse")
    }
}
