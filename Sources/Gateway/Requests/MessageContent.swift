/// Content of Anthropic's messages: text, calls of functions and their results.
enum MessageContent {
    /// What a message says, as turns of a conversation: results are turns of their own.
    ///
    /// - Parameter path: The field's name in errors.
    static func turns(_ value: JSONValue?, role: ChatTurn.Role, path: String) throws -> [ChatTurn] {
        guard case .array(let blocks)? = value else {
            return [ChatTurn(role: role, content: try TextContent.text(value, path: path, types: ["text"]))]
        }
        var turns: [ChatTurn] = []
        var text = ""
        var calls: [JSONValue] = []
        for (index, block) in blocks.enumerated() {
            let path = "\(path)[\(index)]"
            guard case .object(let object) = block else {
                throw APIError.invalid(path, "'\(path)' must be an object with a 'type'.")
            }
            switch (object["type"], role) {
            case ("tool_use"?, .assistant):
                calls.append(try call(RequestFields(object: object), path: path))
                guard calls.count <= ToolMessages.maxCallCount else {
                    throw APIError.invalid(
                        path, "'\(path)' is one call too many: \(ToolMessages.maxCallCount) are allowed.")
                }
            case ("tool_result"?, .user):
                if !text.isEmpty { turns.append(ChatTurn(role: role, content: text)) }
                text = ""
                turns.append(try result(RequestFields(object: object), path: path))
            default: text += try TextContent.text(.array([block]), path: path, types: ["text"])
            }
        }
        if !text.isEmpty || !calls.isEmpty || turns.isEmpty {
            turns.append(
                ChatTurn(role: role, content: text, toolCalls: calls.isEmpty ? nil : ToolMessages.text(calls)))
        }
        return turns
    }

    private static func call(_ fields: RequestFields, path: String) throws -> JSONValue {
        guard try fields.string("id") != nil, let name = try fields.string("name"), ToolSet.isName(name),
            let input = try fields.object("input")
        else {
            throw APIError.invalid(
                path, "'\(path)' must have an 'id' and a 'name', both strings, and an object 'input'.")
        }
        return ["name": .string(name), "arguments": .object(input)]
    }

    private static func result(_ fields: RequestFields, path: String) throws -> ChatTurn {
        guard try fields.string("tool_use_id") != nil else {
            throw APIError.invalid("\(path).tool_use_id", "'\(path).tool_use_id' must be a string.")
        }
        let isError = try fields.bool("is_error") ?? false
        let content = fields["content"] ?? ""
        let text = try TextContent.text(content, path: "\(path).content", types: ["text"])
        return ChatTurn(role: .tool, content: isError ? "Error: " + text : text)
    }
}
