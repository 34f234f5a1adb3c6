/// Items of a conversation as `/v1/responses` takes them: messages, calls of functions and their outputs.
enum ResponseItems {
    /// The items as turns; calls that follow one another are one turn.
    static func turns(_ items: [JSONValue], path: String) throws -> [ChatTurn] {
        var turns: [ChatTurn] = []
        var calls: [JSONValue] = []
        func endCalls() {
            guard !calls.isEmpty else { return }
            // Calls belong to what the assistant said just before.
            if let last = turns.indices.last, turns[last].role == .assistant, turns[last].toolCalls == nil {
                turns[last].toolCalls = ToolMessages.text(calls)
            } else {
                turns.append(ChatTurn(role: .assistant, content: "", toolCalls: ToolMessages.text(calls)))
            }
            calls = []
        }
        for (index, item) in items.enumerated() {
            let path = "\(path)[\(index)]"
            guard case .object(let object) = item else {
                throw APIError.invalid(path, "'\(path)' must be an object, but it is \(item.kind).")
            }
            let fields = RequestFields(object: object)
            switch fields["type"] {
            case "function_call"?: calls.append(try call(fields, path: path))
            case "function_call_output"?:
                endCalls()
                turns.append(try output(fields, path: path))
            case nil, "message"?:
                endCalls()
                turns.append(try message(fields, path: path))
            default:
                throw APIError.invalid(
                    "\(path).type",
                    "Only items of type 'message', 'function_call' and 'function_call_output' are supported by this server."
                )
            }
        }
        endCalls()
        return turns
    }

    private static func call(_ fields: RequestFields, path: String) throws -> JSONValue {
        guard try fields.string("call_id") != nil, let name = try fields.string("name"), ToolSet.isName(name),
            let arguments = try fields.string("arguments")
        else {
            throw APIError.invalid(path, "'\(path)' must have 'call_id', 'name' and 'arguments', all strings.")
        }
        return try ToolMessages.call(name, arguments, path: "\(path).arguments")
    }

    private static func output(_ fields: RequestFields, path: String) throws -> ChatTurn {
        guard try fields.string("call_id") != nil else {
            throw APIError.invalid("\(path).call_id", "'\(path).call_id' must be a string.")
        }
        return ChatTurn(
            role: .tool,
            content: try TextContent.text(fields["output"], path: "\(path).output", types: ["input_text", "text"]))
    }

    private static func message(_ fields: RequestFields, path: String) throws -> ChatTurn {
        guard case .string(let name)? = fields["role"] else {
            throw APIError.invalid("\(path).role", "'\(path).role' must be a string: system, user or assistant.")
        }
        let role: ChatTurn.Role
        switch name {
        case "system", "developer": role = .system
        case "user": role = .user
        case "assistant": role = .assistant
        default:
            throw APIError.invalid(
                "\(path).role", "The role '\(name.prefix(32))' is not supported; use system, user or assistant.")
        }
        let content = try TextContent.text(
            fields["content"], path: "\(path).content", types: ["input_text", "output_text", "text"])
        return ChatTurn(role: role, content: content)
    }
}
