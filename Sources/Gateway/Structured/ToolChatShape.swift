import Inference

/// Answers of `POST /v1/chat/completions` in which the model may call functions.
struct ToolChatShape: AnswerShape {
    private let job: AnswerJob
    private let chat: ChatShape
    private let mark: String
    /// The choices of a stream.
    private var scanners: [ToolCallScanner]

    init(job: AnswerJob, style: ToolStyle) {
        self.job = job
        chat = ChatShape(job: job)
        mark = style.opening
        scanners = Array(repeating: ToolCallScanner(opening: mark), count: job.choiceCount)
    }

    // MARK: Whole

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        let read = choices.map { ToolCallScanner.read($0.text, opening: mark) }
        let texts = zip(choices, read).map { choice, read in
            var choice = choice
            choice.text = read.text
            return choice
        }
        guard case .object(var object) = chat.whole(texts, usage: usage), case .array(var entries)? = object["choices"]
        else { return .null }
        for (index, (_, calls)) in read.enumerated() where !calls.isEmpty {
            guard case .object(var entry) = entries[index], case .object(var message)? = entry["message"] else {
                continue
            }
            if read[index].text.isEmpty { message.replace("content", .null) }
            message.append("tool_calls", .array(calls.map(Self.json)))
            entry.replace("message", .object(message))
            if choices[index].end == .stop { entry.replace("finish_reason", "tool_calls") }
            entries[index] = .object(entry)
        }
        object.replace("choices", .array(entries))
        return .object(object)
    }

    private static func json(_ call: ToolCallScanner.Call) -> JSONValue {
        [
            "id": .string(newID()), "type": "function",
            "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
        ]
    }

    private static func newID() -> String { "call_" + RandomName.make().prefix(24) }

    // MARK: Streamed

    func opening() -> [JSONValue] { chat.opening() }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        var pieces = scanners[choice].append(delta.text)
        if delta.end != nil { pieces += scanners[choice].finish() }
        var text = delta
        text.text = pieces.reduce(into: "") { if case .text(let more) = $1 { $0 += more } }
        text.end = nil
        var chunks = chat.chunk(text, choice: choice)
        for piece in pieces {
            switch piece {
            case .text: break
            case .call(let index, let name):
                let call: JSONValue = [
                    "index": JSONValue(index), "id": .string(Self.newID()), "type": "function",
                    "function": ["name": .string(name), "arguments": ""],
                ]
                chunks.append(chunk(choice, delta: ["tool_calls": [call]], end: nil))
            case .arguments(let index, let more):
                let call: JSONValue = ["index": JSONValue(index), "function": ["arguments": .string(more)]]
                chunks.append(chunk(choice, delta: ["tool_calls": [call]], end: nil))
            }
        }
        if let end = delta.end {
            let reason = end == .stop && scanners[choice].callCount > 0 ? "tool_calls" : end.rawValue
            chunks.append(chunk(choice, delta: [:], end: reason))
        }
        return chunks
    }

    func closing(_ usage: AnswerUsage) -> [JSONValue] { chat.closing(usage) }

    private func chunk(_ choice: Int, delta: JSONValue, end: String?) -> JSONValue {
        job.chunkEnvelope(
            object: "chat.completion.chunk",
            choices: [
                [
                    "index": JSONValue(choice), "delta": delta, "logprobs": .null,
                    "finish_reason": end.map { .string($0) } ?? .null,
                ]
            ])
    }
}

extension JSONObject {
    /// Gives a member that is there another value.
    fileprivate mutating func replace(_ key: String, _ value: JSONValue) {
        for index in members.indices where members[index].key == key { members[index].value = value }
    }
}
