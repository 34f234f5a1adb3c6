import Grammar

/// What a request wants its answer's text to keep to, out of all the parameters that say so.
///
/// OpenAI's `response_format`, llama.cpp's `grammar` and `json_schema`, vLLM's `structured_outputs` and `guided_...`.
struct AnswerFormat: Hashable, Sendable {
    private enum Kind: Hashable, Sendable {
        case object
        case schema(SchemaValue)
        case grammar(String)
        case pattern(String)
        case choice([String])
    }

    private let kind: Kind
    /// The parameter that asks for it.
    let parameter: String

    /// Reads the parameters; nil when any text will do. Throws an `APIError` that names the wrong one.
    init?(_ fields: RequestFields) throws {
        var found: [AnswerFormat] = []
        if let format = try Self.responseFormat(fields) { found.append(format) }
        for (name, read) in Self.readers.sorted(by: { $0.key < $1.key }) {
            guard let value = fields[name] else { continue }
            found.append(AnswerFormat(kind: try read(name, value), parameter: name))
        }
        if let options = try fields.object("structured_outputs") {
            for member in options.members where member.value != .null {
                let path = "structured_outputs.\(member.key)"
                guard let read = Self.readers["guided_\(member.key)"] else {
                    throw APIError.invalid(
                        path, "'\(path)' is not supported; there are json, json_object, regex, choice and grammar.")
                }
                found.append(AnswerFormat(kind: try read(path, member.value), parameter: path))
            }
        }
        guard let first = found.first else { return nil }
        guard found.count == 1 else {
            let names = found.map { "'\($0.parameter)'" }.sorted().joined(separator: " and ")
            throw APIError.invalid(first.parameter, "\(names) contradict each other: give one of them.")
        }
        self = first
    }

    /// The format of one of Ollama's routes: `format` is "json" or a schema.
    init?(ollama fields: RequestFields) throws {
        switch fields["format"] {
        case nil, ""?: return nil
        case "json"?: self.init(kind: .object, parameter: "format")
        case .object(let schema)?: self.init(kind: .schema(SchemaValue(.object(schema))), parameter: "format")
        default: throw APIError.invalid("format", "'format' must be json or a JSON schema.")
        }
    }

    /// The format of a response: `text.format`.
    init?(response fields: RequestFields) throws {
        guard let text = try fields.object("text"),
            let format = try RequestFields(object: text).object("format"),
            let found = try Self.format(RequestFields(object: format), "text.format", isFlat: true)
        else { return nil }
        self = found
    }

    private init(kind: Kind, parameter: String) {
        self.kind = kind
        self.parameter = parameter
    }

    private typealias Reader = @Sendable (_ name: String, _ value: JSONValue) throws -> Kind

    private static let readers: [String: Reader] = [
        "grammar": grammar, "guided_grammar": grammar, "json_schema": schema, "guided_json": schema,
        "guided_regex": { name, value in .pattern(try text(name, value)) },
        "guided_choice": choice,
        "guided_json_object": { name, value in
            guard value == true else { throw APIError.invalid(name, "'\(name)' must be true or be left out.") }
            return .object
        },
    ]

    private static let grammar: Reader = { name, value in .grammar(try text(name, value)) }

    private static func text(_ name: String, _ value: JSONValue) throws -> String {
        guard case .string(let text) = value, !text.isEmpty else {
            throw APIError.invalid(name, "'\(name)' must be a string that is not empty.")
        }
        return text
    }

    /// A schema, or its text as vLLM takes it.
    private static let schema: Reader = { name, value in
        guard case .string(let text) = value else { return .schema(SchemaValue(value)) }
        do {
            return .schema(SchemaValue(try JSONReader.read(Array(text.utf8))))
        } catch let failure as JSONReader.Failure {
            throw APIError.invalid(name, "'\(name)' is not valid JSON: \(failure.message), at byte \(failure.offset).")
        }
    }

    private static let choice: Reader = { name, value in
        guard case .array(let values) = value, (1...1024).contains(values.count) else {
            throw APIError.invalid(name, "'\(name)' must be an array of 1 to 1024 strings.")
        }
        return .choice(try values.map { try text(name, $0) })
    }

    private static func responseFormat(_ fields: RequestFields) throws -> AnswerFormat? {
        guard let object = try fields.object("response_format") else { return nil }
        return try format(RequestFields(object: object), "response_format", isFlat: false)
    }

    /// - Parameter isFlat: Whether a schema's members stand beside the type, not in a `json_schema` of their own.
    private static func format(_ format: RequestFields, _ name: String, isFlat: Bool) throws -> AnswerFormat? {
        guard case .string(let type)? = format["type"] else {
            throw APIError.invalid("\(name).type", "'\(name).type' must be text, json_object or json_schema.")
        }
        switch type {
        case "text": return nil
        case "json_object":
            // llama.cpp takes a schema here, too.
            let kind = format["schema"].map { Kind.schema(SchemaValue($0)) } ?? .object
            return AnswerFormat(kind: kind, parameter: name)
        case "json_schema":
            let path = isFlat ? name : "\(name).json_schema"
            var members = format
            if !isFlat {
                guard let object = try format.object("json_schema") else {
                    throw APIError.invalid(path, "'\(path)' is missing.")
                }
                members = RequestFields(object: object)
            }
            guard case .string? = members["name"] else {
                throw APIError.invalid("\(path).name", "'\(path).name' must be a string.")
            }
            // Strict or not, the answer is held to the schema.
            _ = try members.bool("strict")
            guard let schema = members["schema"] else { return AnswerFormat(kind: .object, parameter: name) }
            return AnswerFormat(kind: .schema(SchemaValue(schema)), parameter: "\(path).schema")
        default:
            throw APIError.invalid(
                "\(name).type", "'\(name).type' must be text, json_object or json_schema, not '\(type.prefix(32))'.")
        }
    }

    // MARK: Grammars

    /// The grammar of the whole answer, checked.
    func gbnf() throws -> String {
        try reporting {
            if case .grammar(let text) = kind { return text }
            var text = GrammarText()
            text.define("root", try rule(in: &text) ?? "")
            return text.gbnf
        }
    }

    /// Adds the format's rules to others'; nil for a grammar of the client's own, whose rules have names of their own.
    func rule(in text: inout GrammarText) throws -> String? {
        switch kind {
        case .object: return text.basic(.object)
        case .schema(let schema): return try text.add(schema: schema)
        case .pattern(let pattern): return "(\(try GrammarText.pattern(pattern)))"
        case .choice(let texts): return "(\(texts.map(GrammarText.literal).joined(separator: " | ")))"
        case .grammar: return nil
        }
    }

    /// Runs something that makes a grammar, and compiles it, so that errors name the parameter.
    func reporting(_ make: () throws -> String) throws -> String {
        do {
            let gbnf = try make()
            _ = try Grammar(gbnf: gbnf)
            return gbnf
        } catch let error as GrammarError {
            throw APIError.invalid(parameter, "'\(parameter)' cannot be used: \(error.message).")
        }
    }
}

extension SchemaValue {
    /// A request's JSON as the grammar's module takes it.
    init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .double(let value): self = .double(value)
        case .single(let value): self = .double(Double(value))
        case .string(let value): self = .string(value)
        case .array(let values): self = .array(values.map { SchemaValue($0) })
        case .object(let object):
            self = .object(object.members.map { Member(key: $0.key, value: SchemaValue($0.value)) })
        }
    }
}
