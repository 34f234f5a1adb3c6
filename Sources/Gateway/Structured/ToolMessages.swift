/// Reads what messages of a conversation say about calls of functions.
enum ToolMessages {
    static let maxCallCount = 256

    /// The calls of an assistant's message as the JSON array that models write; nil when there are none.
    static func calls(_ fields: RequestFields, path: String) throws -> String? {
        guard let value = fields["tool_calls"], value != [] else { return nil }
        let path = "\(path).tool_calls"
        guard case .array(let calls) = value, calls.count <= maxCallCount else {
            throw APIError.invalid(path, "'\(path)' must be an array of at most \(maxCallCount) calls.")
        }
        return text(try calls.enumerated().map { index, call in try self.call(call, path: "\(path)[\(index)]") })
    }

    /// Calls as the JSON array that models write.
    static func text(_ calls: [JSONValue]) -> String {
        String(decoding: JSONValue.array(calls).encoded, as: UTF8.self)
    }

    private static func call(_ value: JSONValue, path: String) throws -> JSONValue {
        guard case .object(let call) = value, call["type"] == "function",
            case .object(let function)? = call["function"], case .string(let name)? = function["name"],
            ToolSet.isName(name), case .string(let arguments)? = function["arguments"]
        else {
            throw APIError.invalid(
                path,
                "'\(path)' must have the type 'function' and a 'function' with 'name' and 'arguments', both strings.")
        }
        return try self.call(name, arguments, path: "\(path).function.arguments")
    }

    /// One call as models write it; throws unless the arguments are the text of an object.
    static func call(_ name: String, _ arguments: String, path: String) throws -> JSONValue {
        guard let read = try? JSONReader.read(Array(arguments.utf8)), case .object = read else {
            throw APIError.invalid(path, "'\(path)' must be the text of a JSON object.")
        }
        return ["name": .string(name), "arguments": read]
    }

    /// Checks that a tool's message says which call it answers.
    static func checkResult(_ fields: RequestFields, path: String) throws {
        guard case .string? = fields["tool_call_id"] else {
            throw APIError.invalid("\(path).tool_call_id", "'\(path).tool_call_id' must be a string.")
        }
    }
}
