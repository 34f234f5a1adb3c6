/// What is kept of an answer of `/v1/responses`: the object that clients get, and the conversation up to its end.
struct StoredResponse: Hashable, Sendable {
    /// The response object.
    var response: JSONValue
    /// Everything that was said, instructions left out, since they do not carry over.
    var turns: [ChatTurn]

    init(response: JSONValue, turns: [ChatTurn]) {
        self.response = response
        self.turns = turns
    }

    /// Reads what `encoded` wrote; nil when the bytes are something else.
    init?(encoded: [UInt8]) {
        guard case .object(let object)? = try? JSONReader.read(encoded), let response = object["response"],
            case .array(let values)? = object["turns"]
        else { return nil }
        var turns: [ChatTurn] = []
        for value in values {
            guard case .array(let parts) = value, (2...3).contains(parts.count), case .string(let name) = parts[0],
                case .string(let content) = parts[1], let role = ChatTurn.Role(rawValue: name)
            else { return nil }
            var turn = ChatTurn(role: role, content: content)
            if parts.count == 3 {
                guard case .string(let calls) = parts[2] else { return nil }
                turn.toolCalls = calls
            }
            turns.append(turn)
        }
        self.init(response: response, turns: turns)
    }

    var encoded: [UInt8] {
        let turns = turns.map { turn in
            JSONValue.array(
                ([turn.role.rawValue, turn.content] + (turn.toolCalls.map { [$0] } ?? [])).map { .string($0) })
        }
        let value: JSONValue = ["response": response, "turns": .array(turns)]
        return value.encoded
    }
}
