import Grammar

/// The functions that a request lets the model call.
struct ToolSet: Hashable, Sendable {
    enum Choice: Hashable, Sendable {
        /// The model decides.
        case auto
        /// At least one call.
        case required
        /// A call of this function.
        case named(String)
    }

    struct Tool: Hashable, Sendable {
        let name: String
        let parameters: SchemaValue
        /// As the client described it: `{"name", "description", "parameters"}`.
        let description: JSONValue
    }

    /// Where an API keeps what is said about tools.
    enum Dialect: Hashable, Sendable {
        /// Chat completions, and Ollama's chats: `{"type": "function", "function": {...}}`.
        case chat
        /// Responses: `{"type": "function", "name": ...}`.
        case response
        /// Anthropic's messages: `{"name": ..., "input_schema": ...}`.
        case message
    }

    let tools: [Tool]
    let choice: Choice
    let allowsSeveral: Bool

    static let maxToolCount = 128
    static let maxCallCount = 32

    /// Reads `tools`, `tool_choice` and what says whether several calls are allowed; nil when no tool may be called.
    init?(_ fields: RequestFields, _ dialect: Dialect = .chat) throws {
        let listed = try fields.array("tools") ?? []
        guard listed.count <= Self.maxToolCount else {
            throw APIError.invalid("tools", "'tools' may hold at most \(Self.maxToolCount) tools.")
        }
        tools = try listed.enumerated().map { try Self.tool($0.element, dialect, path: "tools[\($0.offset)]") }
        if let twice = Dictionary(grouping: tools, by: \.name).first(where: { $0.value.count > 1 })?.key {
            throw APIError.invalid("tools", "The function '\(twice)' comes twice in 'tools'.")
        }
        if dialect == .message, let choice = try fields.object("tool_choice") {
            allowsSeveral = try !(RequestFields(object: choice).bool("disable_parallel_tool_use") ?? false)
        } else {
            allowsSeveral = try fields.bool("parallel_tool_calls") ?? true
        }
        let read = dialect == .message ? Self.messageChoice : Self.choice
        guard let choice = try read(fields["tool_choice"], tools) else { return nil }
        self.choice = choice
        guard !tools.isEmpty else { return nil }
    }

    private static func tool(_ value: JSONValue, _ dialect: Dialect, path: String) throws -> Tool {
        guard case .object(let object) = value else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(value.kind).")
        }
        let fields = RequestFields(object: object)
        var members = fields
        var path = path
        switch dialect {
        case .chat:
            guard fields["type"] == "function", let function = try fields.object("function") else {
                throw APIError.invalid(path, "'\(path)' must have the type 'function' and a 'function'.")
            }
            members = RequestFields(object: function)
            path += ".function"
        case .response:
            guard fields["type"] == "function" else {
                throw APIError.invalid(
                    "\(path).type", "'\(path).type' must be 'function': this server has no other tools.")
            }
        case .message:
            guard [nil, "custom"].contains(fields["type"]) else {
                throw APIError.invalid(
                    "\(path).type", "'\(path).type' must be 'custom': this server has no tools of its own.")
            }
        }
        guard case .string(let name)? = members["name"], isName(name) else {
            throw APIError.invalid("\(path).name", "'\(path).name' must be 1 to 64 letters, digits, '_' or '-'.")
        }
        let parameters = try members.object(dialect == .message ? "input_schema" : "parameters")
        guard dialect != .message || parameters != nil else {
            throw APIError.invalid("\(path).input_schema", "\(path).input_schema: Field required.")
        }
        // As OpenAI has it, whichever way it came.
        var shown: JSONObject = ["name": .string(name)]
        if let description = try members.string("description") { shown.append("description", .string(description)) }
        if let parameters { shown.append("parameters", .object(parameters)) }
        return Tool(
            name: name,
            parameters: parameters.map { SchemaValue(.object($0)) }
                ?? .object([.init(key: "additionalProperties", value: .bool(false))]),
            description: .object(shown))
    }

    static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                let scalar = Unicode.Scalar(byte)
                return byte < 0x80
                    && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || "_-".utf8.contains(byte))
            }
    }

    /// Nil for none.
    private static func choice(_ value: JSONValue?, _ tools: [Tool]) throws -> Choice? {
        let failure = APIError.invalid(
            "tool_choice",
            "'tool_choice' must be none, auto, required or an object that names one of the tools.")
        switch value {
        case nil, "auto"?: return .auto
        case "none"?: return nil
        case "required"?:
            guard !tools.isEmpty else { throw failure }
            return .required
        case .object(let object)?:
            // Responses have the name beside the type.
            var named = object
            if case .object(let function)? = object["function"] { named = function }
            guard object["type"] == "function", case .string(let name)? = named["name"],
                tools.contains(where: { $0.name == name })
            else { throw failure }
            return .named(name)
        default: throw failure
        }
    }

    /// Anthropic's `tool_choice`; nil for none.
    private static func messageChoice(_ value: JSONValue?, _ tools: [Tool]) throws -> Choice? {
        let failure = APIError.invalid(
            "tool_choice", "'tool_choice' must have the type auto, any, none, or tool and the name of one of the tools."
        )
        guard let value else { return .auto }
        guard case .object(let object) = value else { throw failure }
        switch object["type"] {
        case "auto"?: return .auto
        case "none"?: return nil
        case "any"? where !tools.isEmpty: return .required
        case "tool"?:
            guard case .string(let name)? = object["name"], tools.contains(where: { $0.name == name }) else {
                throw failure
            }
            return .named(name)
        default: throw failure
        }
    }

    /// The tools as JSON, for the prompt.
    var json: String { String(decoding: JSONValue.array(tools.map(\.description)).encoded, as: UTF8.self) }

    // MARK: Grammar

    /// The grammar of an answer: text (in a format, when one is given) or calls, or calls alone.
    func gbnf(_ style: ToolStyle, format: AnswerFormat?) throws -> String {
        var text = GrammarText()
        do {
            let calls = try calls(in: &text)
            let call = "\(GrammarText.literal(style.opening)) \(calls) \(GrammarText.literal(style.closing))"
            switch choice {
            case .required, .named: text.define("root", call)
            case .auto:
                if let format {
                    guard let rule = try format.rule(in: &text) else {
                        throw APIError.invalid(
                            format.parameter, "'\(format.parameter)' together with 'tools' is not supported.")
                    }
                    text.define("root", "\(call) | \(rule)")
                } else {
                    let rest = text.define("\(calls) \(GrammarText.literal(style.closing))")
                    text.define("root", text.anyText(orEndingWith: style.opening, then: rest))
                }
            }
            _ = try Grammar(gbnf: text.gbnf)
        } catch let error as GrammarError {
            throw APIError.invalid("tools", "'tools' cannot be used: \(error.message).")
        }
        return text.gbnf
    }

    private func calls(in text: inout GrammarText) throws(GrammarError) -> String {
        let space = text.basic(.space)
        var calls: [String] = []
        for tool in tools {
            if case .named(let name) = choice, name != tool.name { continue }
            let arguments: String
            do {
                arguments = try text.add(schema: tool.parameters, isObject: true)
            } catch {
                throw GrammarError("the parameters of '\(tool.name)': \(error.message)")
            }
            let name = GrammarText.literal("\"\(tool.name)\"")
            calls.append(
                "\"{\" \(space) \"\\\"name\\\":\" \(space) \(name) \",\" \(space) \"\\\"arguments\\\":\" \(space) "
                    + "\(arguments) \(space) \"}\"")
        }
        let call = text.define(calls.joined(separator: " | "))
        let several = allowsSeveral ? " (\",\" \(space) \(call)){0,\(Self.maxCallCount - 1)}" : ""
        return text.define("\"[\" \(space) \(call)\(several) \(space) \"]\"")
    }
}
