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

    let tools: [Tool]
    let choice: Choice
    let allowsSeveral: Bool

    static let maxToolCount = 128
    static let maxCallCount = 32

    /// Reads `tools`, `tool_choice` and `parallel_tool_calls`; nil when no tool may be called.
    init?(_ fields: RequestFields) throws {
        let listed = try fields.array("tools") ?? []
        guard listed.count <= Self.maxToolCount else {
            throw APIError.invalid("tools", "'tools' may hold at most \(Self.maxToolCount) tools.")
        }
        tools = try listed.enumerated().map { try Self.tool($0.element, path: "tools[\($0.offset)]") }
        if let twice = Dictionary(grouping: tools, by: \.name).first(where: { $0.value.count > 1 })?.key {
            throw APIError.invalid("tools", "The function '\(twice)' comes twice in 'tools'.")
        }
        allowsSeveral = try fields.bool("parallel_tool_calls") ?? true
        guard let choice = try Self.choice(fields["tool_choice"], tools) else { return nil }
        self.choice = choice
        guard !tools.isEmpty else { return nil }
    }

    private static func tool(_ value: JSONValue, path: String) throws -> Tool {
        guard case .object(let object) = value else {
            throw APIError.invalid(path, "'\(path)' must be an object, but it is \(value.kind).")
        }
        let fields = RequestFields(object: object)
        guard fields["type"] == "function", let function = try fields.object("function") else {
            throw APIError.invalid(path, "'\(path)' must have the type 'function' and a 'function'.")
        }
        let members = RequestFields(object: function)
        guard case .string(let name)? = members["name"], isName(name) else {
            throw APIError.invalid(
                "\(path).function.name", "'\(path).function.name' must be 1 to 64 letters, digits, '_' or '-'.")
        }
        let parameters = try members.object("parameters")
        let shown = JSONObject(
            members: function.members.filter { ["name", "description", "parameters"].contains($0.key) })
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
            "'tool_choice' must be none, auto, required or {\"type\": \"function\", \"function\": {\"name\": ...}} with one "
                + "of the tools.")
        switch value {
        case nil, "auto"?: return .auto
        case "none"?: return nil
        case "required"?:
            guard !tools.isEmpty else { throw failure }
            return .required
        case .object(let object)?:
            guard object["type"] == "function", case .object(let function)? = object["function"],
                case .string(let name)? = function["name"], tools.contains(where: { $0.name == name })
            else { throw failure }
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
