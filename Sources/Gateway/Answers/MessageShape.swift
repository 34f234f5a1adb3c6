import Inference

/// Answers of Anthropic's `POST /v1/messages` (https://docs.anthropic.com/en/api/messages-streaming).
struct MessageShape: AnswerShape {
    let job: AnswerJob
    /// Whether the context left less than the client allowed.
    let isCutShort: Bool
    private enum Block {
        case text, call
    }

    /// What begins calls of functions; nil when none may come.
    private let toolMark: String?
    private var scanner: ToolCallScanner?
    /// Why the choice ended, as far as the stream got.
    private var told = ChoiceDelta()
    /// The stream's latest block, and how many there were.
    private var block: Block?
    private var blockCount = 0

    init(job: AnswerJob, isCutShort: Bool, toolMark: String?) {
        self.job = job
        self.isCutShort = isCutShort
        self.toolMark = toolMark
        scanner = toolMark.map { ToolCallScanner(opening: $0) }
    }

    var framing: StreamFraming { .namedEvents }

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) -> JSONValue {
        let (text, calls) = toolMark.map { ToolCallScanner.read(choices[0].text, opening: $0) } ?? (choices[0].text, [])
        var content: [JSONValue] = []
        if !text.isEmpty || calls.isEmpty { content.append(["type": "text", "text": .string(text)]) }
        for call in calls {
            // One that was cut off is none.
            guard let input = try? JSONReader.read(Array(call.arguments.utf8)) else { continue }
            content.append(Self.toolUse(call.name, input: input))
        }
        return message(
            content: .array(content), ending: ending(choices[0], callCount: calls.count), usage: self.usage(usage))
    }

    mutating func opening() -> [JSONValue] {
        // How many of the prompt's tokens were still there is known at the end.
        let usage = AnswerUsage(promptTokenCount: job.prompts[0].count)
        let start: JSONValue = [
            "type": "message_start",
            "message": message(
                content: [], ending: ["stop_reason": .null, "stop_sequence": .null], usage: self.usage(usage)),
        ]
        // Where calls may come, there may be no text.
        return [start] + (toolMark == nil ? begin(.text, Self.emptyText) : []) + [["type": "ping"]]
    }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        told.end = delta.end ?? told.end
        told.stopString = delta.stopString ?? told.stopString
        var pieces = delta.text.isEmpty ? [] : [ToolCallScanner.Piece.text(delta.text)]
        if toolMark != nil {
            pieces = scanner?.append(delta.text) ?? []
            if delta.end != nil { pieces += scanner?.finish() ?? [] }
        }
        var events: [JSONValue] = []
        for piece in pieces {
            switch piece {
            case .text(let text):
                if block != .text { events += begin(.text, Self.emptyText) }
                events.append(more(["type": "text_delta", "text": .string(text)]))
            case .call(_, let name): events += begin(.call, Self.toolUse(name, input: [:]))
            case .arguments(_, let json):
                events.append(more(["type": "input_json_delta", "partial_json": .string(json)]))
            }
        }
        return events
    }

    mutating func closing(_ usage: AnswerUsage) -> [JSONValue] {
        let empty = block == nil ? begin(.text, Self.emptyText) : []
        return empty + [
            end(),
            [
                "type": "message_delta", "delta": .object(ending(told, callCount: scanner?.callCount ?? 0)),
                "usage": self.usage(usage),
            ],
            ["type": "message_stop"],
        ]
    }

    // MARK: Blocks of content

    private static let emptyText: JSONValue = ["type": "text", "text": ""]

    private static func toolUse(_ name: String, input: JSONValue) -> JSONValue {
        [
            "type": "tool_use", "id": .string("toolu_" + RandomName.make().prefix(24)), "name": .string(name),
            "input": input,
        ]
    }

    /// Ends the block before, when there is one, and begins another.
    private mutating func begin(_ next: Block, _ content: JSONValue) -> [JSONValue] {
        let ended = block == nil ? [] : [end()]
        block = next
        blockCount += 1
        return ended + [
            ["type": "content_block_start", "index": JSONValue(blockCount - 1), "content_block": content]
        ]
    }

    private func more(_ delta: JSONValue) -> JSONValue {
        ["type": "content_block_delta", "index": JSONValue(blockCount - 1), "delta": delta]
    }

    private func end() -> JSONValue { ["type": "content_block_stop", "index": JSONValue(blockCount - 1)] }

    func failure(_ error: APIError) -> [JSONValue] { [error.body(.anthropic, requestID: nil)] }

    func keepAlive() -> JSONValue? { ["type": "ping"] }

    private func message(content: JSONValue, ending: JSONObject, usage: JSONValue) -> JSONValue {
        var object: JSONObject = [
            "id": .string(job.id), "type": "message", "role": "assistant", "model": .string(job.model.id),
            "content": content,
        ]
        object.members += ending.members
        object.append("usage", usage)
        return .object(object)
    }

    private func ending(_ answer: ChoiceDelta, callCount: Int) -> JSONObject {
        let reason: JSONValue =
            switch answer.end {
            case .stop where answer.stopString != nil: "stop_sequence"
            case .stop: callCount > 0 ? "tool_use" : "end_turn"
            case .contentFilter: "refusal"
            case .length: isCutShort ? "model_context_window_exceeded" : "max_tokens"
            case nil: .null
            }
        return ["stop_reason": reason, "stop_sequence": answer.stopString.map { .string($0) } ?? .null]
    }

    /// Anthropic counts tokens that were still there apart from the others.
    private func usage(_ usage: AnswerUsage) -> JSONValue {
        [
            "input_tokens": JSONValue(usage.promptTokenCount - usage.cachedTokenCount),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": JSONValue(usage.cachedTokenCount),
            "output_tokens": JSONValue(usage.completionTokenCount),
            "service_tier": "standard",
        ]
    }
}
