import Inference

/// The output of a response as it comes: a message, and behind it calls of functions where these may come.
struct ResponseOutput: Sendable {
    enum Status: String {
        case inProgress = "in_progress"
        case completed, incomplete, failed
    }

    /// An event's type, and its members but for its number.
    typealias Event = (type: String, members: JSONObject)

    private struct Call: Sendable {
        let id = "fc_" + RandomName.make()
        let callID = "call_" + RandomName.make().prefix(24)
        var call: ToolCallScanner.Call

        func item(_ status: Status) -> JSONValue {
            [
                "id": .string(id), "type": "function_call", "status": .string(status.rawValue),
                "call_id": .string(callID), "name": .string(call.name), "arguments": .string(call.arguments),
            ]
        }
    }

    private let job: AnswerJob
    private let messageID = "msg_" + RandomName.make()
    private var scanner: ToolCallScanner?
    /// The message so far; nil before it begins.
    private var message: ChoiceDelta?
    private var calls: [Call] = []
    private var end: ChoiceEnd?

    /// - Parameter toolMark: What begins calls of functions; nil when none may come.
    init(job: AnswerJob, toolMark: String?) {
        self.job = job
        scanner = toolMark.map { ToolCallScanner(opening: $0) }
    }

    /// How it ended, once everything has come.
    var status: Status { end == .length || end == .contentFilter ? .incomplete : .completed }

    /// Why it is not complete, when it is not.
    var incompleteReason: JSONValue { end == .contentFilter ? "content_filter" : "max_output_tokens" }

    /// What opens the output of a stream: the message, unless there may be none.
    mutating func begin() -> [Event] { scanner == nil ? beginMessage() : [] }

    /// Takes what came next.
    mutating func append(_ delta: ChoiceDelta) -> [Event] {
        end = delta.end ?? end
        guard scanner != nil else { return tell(delta) }
        var pieces = scanner?.append(delta.text) ?? []
        if delta.end != nil { pieces += scanner?.finish() ?? [] }
        var events: [Event] = []
        for piece in pieces {
            switch piece {
            case .text(let text): events += tell(ChoiceDelta(text: text))
            case .call(_, let name):
                events += endItem(.completed)
                calls.append(Call(call: ToolCallScanner.Call(name: name)))
                events.append(
                    (
                        "response.output_item.added",
                        ["output_index": lastIndex, "item": calls[calls.count - 1].item(.inProgress)]
                    ))
            case .arguments(let index, let more):
                calls[index].call.arguments += more
                events.append(
                    (
                        "response.function_call_arguments.delta",
                        ["item_id": .string(calls[index].id), "output_index": lastIndex, "delta": .string(more)]
                    ))
            }
        }
        return events
    }

    /// What ends the output of a stream.
    mutating func finish() -> [Event] {
        let begun = message == nil && calls.isEmpty ? beginMessage() : []
        return begun + endItem(status)
    }

    /// The items; all but the last are complete.
    func items(_ status: Status) -> [JSONValue] {
        let lastStatus = calls.isEmpty ? status : .completed
        return (message.map { [item($0, lastStatus)] } ?? [])
            + calls.enumerated().map { $1.item($0 == calls.count - 1 ? status : .completed) }
    }

    /// What the next response goes on from. A call that was cut off is none.
    var turn: ChatTurn {
        let written = calls.compactMap { try? ToolMessages.call($0.call.name, $0.call.arguments, path: "arguments") }
        return ChatTurn(
            role: .assistant, content: message?.text ?? "",
            toolCalls: written.isEmpty ? nil : ToolMessages.text(written))
    }

    // MARK: Items

    /// Where the latest item is.
    private var lastIndex: JSONValue { JSONValue((message == nil ? 0 : 1) + calls.count - 1) }

    private mutating func beginMessage() -> [Event] {
        message = ChoiceDelta()
        return [
            ("response.output_item.added", ["output_index": 0, "item": item(nil, .inProgress)]),
            ("response.content_part.added", place(["part": part(ChoiceDelta())])),
        ]
    }

    /// More of the message.
    private mutating func tell(_ delta: ChoiceDelta) -> [Event] {
        let begun = message == nil ? beginMessage() : []
        message?.append(delta)
        guard !delta.text.isEmpty || !logprobs(delta).isEmpty else { return begun }
        let members: JSONObject = ["delta": .string(delta.text), "logprobs": .array(logprobs(delta))]
        return begun + [("response.output_text.delta", place(members))]
    }

    /// Ends the latest item, when there is one.
    private func endItem(_ status: Status) -> [Event] {
        if let call = calls.last {
            let members: JSONObject = [
                "item_id": .string(call.id), "output_index": lastIndex, "name": .string(call.call.name),
                "arguments": .string(call.call.arguments),
            ]
            return [
                ("response.function_call_arguments.done", members),
                ("response.output_item.done", ["output_index": lastIndex, "item": call.item(status)]),
            ]
        }
        guard let message else { return [] }
        let members: JSONObject = ["text": .string(message.text), "logprobs": .array(logprobs(message))]
        return [
            ("response.output_text.done", place(members)),
            ("response.content_part.done", place(["part": part(message)])),
            ("response.output_item.done", ["output_index": 0, "item": item(message, status)]),
        ]
    }

    /// The message; without content as long as there is none.
    private func item(_ answer: ChoiceDelta?, _ status: Status) -> JSONValue {
        [
            "id": .string(messageID), "type": "message", "status": .string(status.rawValue), "role": "assistant",
            "content": answer.map { [part($0)] } ?? [],
        ]
    }

    private func part(_ answer: ChoiceDelta) -> JSONValue {
        ["type": "output_text", "text": .string(answer.text), "annotations": [], "logprobs": .array(logprobs(answer))]
    }

    private func logprobs(_ answer: ChoiceDelta) -> [JSONValue] {
        job.logprobCount == nil ? [] : job.codec.logprobs(answer.tokens)
    }

    /// The members of an event that is about the message's text.
    private func place(_ members: JSONObject) -> JSONObject {
        JSONObject(
            members: [
                .init(key: "item_id", value: .string(messageID)), .init(key: "output_index", value: 0),
                .init(key: "content_index", value: 0),
            ] + members.members)
    }
}
