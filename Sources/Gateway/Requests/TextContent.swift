/// Content of messages in the APIs: a string, or parts that must all be text.
enum TextContent {
    /// The text; parts are joined as they are.
    ///
    /// - Parameters:
    ///   - path: The field's name in errors.
    ///   - types: What a part of text may call itself.
    static func text(_ value: JSONValue?, path: String, types: Set<String>) throws -> String {
        switch value {
        case .string(let text)?: return text
        case .array(let parts)?:
            return try parts.enumerated().map { index, part in
                try self.part(part, path: "\(path)[\(index)]", types: types)
            }.joined()
        case nil: throw APIError.invalid(path, "'\(path)' is missing.")
        case let value?:
            throw APIError.invalid(
                path, "'\(path)' must be a string or an array of text parts, but it is \(value.kind).")
        }
    }

    private static func part(_ part: JSONValue, path: String, types: Set<String>) throws -> String {
        guard case .object(let object) = part, case .string(let type)? = object["type"] else {
            throw APIError.invalid(path, "'\(path)' must be an object with a 'type'.")
        }
        guard types.contains(type) else {
            throw APIError.invalid(
                "\(path).type", "Content of type '\(type.prefix(32))' is not supported: the model takes text only.")
        }
        guard case .string(let text)? = object["text"] else {
            throw APIError.invalid("\(path).text", "'\(path).text' must be a string.")
        }
        return text
    }
}
