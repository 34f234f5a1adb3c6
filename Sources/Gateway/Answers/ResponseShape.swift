import Foundation
import Inference

/// Answers of `POST /v1/responses`, which are stored before their end is told.
struct ResponseShape: AnswerShape {
    private enum Status: String {
        case inProgress = "in_progress"
        case completed, incomplete, failed
    }

    private let job: AnswerJob
    private let parameters: ResponseParameters
    /// What the next response goes on from, but for this one's answer.
    private let history: [ChatTurn]
    private let store: any ResponseStore
    private let itemID = "msg_" + RandomName.make()
    /// What a stream has told so far, and how many events it took.
    private var told = ChoiceDelta()
    private var sequenceNumber = 0

    init(job: AnswerJob, parameters: ResponseParameters, history: [ChatTurn], store: any ResponseStore) {
        self.job = job
        self.parameters = parameters
        self.history = history
        self.store = store
    }

    var framing: StreamFraming { .namedEvents }

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) async throws -> JSONValue {
        try await finished(choices[0], usage: usage)
    }

    mutating func opening() -> [JSONValue] {
        let response = response(.inProgress, output: [], usage: .null)
        return [
            event("response.created", ["response": response]),
            event("response.in_progress", ["response": response]),
            event("response.output_item.added", ["output_index": 0, "item": item(nil, .inProgress)]),
            event("response.content_part.added", place(["part": part(ChoiceDelta())])),
        ]
    }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        told.append(delta)
        guard !delta.text.isEmpty || !logprobs(delta).isEmpty else { return [] }
        return [
            event(
                "response.output_text.delta",
                place(["delta": .string(delta.text), "logprobs": .array(logprobs(delta))]))
        ]
    }

    mutating func closing(_ usage: AnswerUsage) async throws -> [JSONValue] {
        let response = try await finished(told, usage: usage)
        let status = status(told)
        return [
            event(
                "response.output_text.done",
                place(["text": .string(told.text), "logprobs": .array(logprobs(told))])),
            event("response.content_part.done", place(["part": part(told)])),
            event("response.output_item.done", ["output_index": 0, "item": item(told, status)]),
            event("response.\(status.rawValue)", ["response": response]),
        ]
    }

    mutating func failure(_ error: APIError) -> [JSONValue] {
        let code = error.kind == .overloaded ? "rate_limit_exceeded" : "server_error"
        let response = response(
            .failed, output: [item(told, .incomplete)], usage: .null,
            error: ["code": .string(code), "message": .string(error.message)])
        return [event("response.failed", ["response": response])]
    }

    /// The complete response, which is in the store when this returns, if the client wants it there.
    private func finished(_ answer: ChoiceDelta, usage: AnswerUsage) async throws -> JSONValue {
        let status = status(answer)
        let response = response(
            status, output: [item(answer, status)],
            reason: answer.end == .contentFilter ? "content_filter" : "max_output_tokens",
            usage: [
                "input_tokens": JSONValue(usage.promptTokenCount),
                "input_tokens_details": [
                    "cached_tokens": JSONValue(usage.cachedTokenCount), "cache_write_tokens": 0,
                ],
                "output_tokens": JSONValue(usage.completionTokenCount),
                "output_tokens_details": ["reasoning_tokens": 0],
                "total_tokens": JSONValue(usage.promptTokenCount + usage.completionTokenCount),
            ])
        if parameters.isStored {
            let turns = history + [ChatTurn(role: .assistant, content: answer.text)]
            try await store.put(StoredResponse(response: response, turns: turns).encoded, id: job.id)
        }
        return response
    }

    private func status(_ answer: ChoiceDelta) -> Status {
        answer.end == .length || answer.end == .contentFilter ? .incomplete : .completed
    }

    private func response(
        _ status: Status, output: [JSONValue], reason: JSONValue = "max_output_tokens", usage: JSONValue,
        error: JSONValue = .null
    ) -> JSONValue {
        let labels = job.shared.labels
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func number(_ value: Int?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
        return [
            "id": .string(job.id),
            "object": "response",
            "created_at": JSONValue(job.createdSeconds),
            "completed_at": status == .completed ? JSONValue(Answering.now) : .null,
            "status": .string(status.rawValue),
            "background": false,
            "error": error,
            "incomplete_details": status == .incomplete ? ["reason": reason] : .null,
            "instructions": text(parameters.instructions),
            "max_output_tokens": number(parameters.maxOutputTokens),
            "max_tool_calls": number(parameters.maxToolCalls),
            "metadata": .object(labels.metadata),
            "model": .string(job.model.id),
            "output": .array(output),
            "parallel_tool_calls": true,
            "previous_response_id": text(parameters.previousResponseID),
            "prompt_cache_key": text(labels.promptCacheKey),
            "reasoning": ["effort": .null, "summary": .null],
            "safety_identifier": text(labels.safetyIdentifier),
            "service_tier": "default",
            "store": .bool(parameters.isStored),
            "temperature": .single(job.shared.sampling.temperature),
            "text": ["format": ["type": "text"], "verbosity": "medium"],
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": JSONValue(parameters.logprobCount ?? 0),
            "top_p": .single(job.shared.sampling.topP),
            "truncation": parameters.isTruncated ? "auto" : "disabled",
            "usage": usage,
            "user": text(labels.user),
        ]
    }

    /// The message; without content as long as there is none.
    private func item(_ answer: ChoiceDelta?, _ status: Status) -> JSONValue {
        [
            "id": .string(itemID), "type": "message", "status": .string(status.rawValue), "role": "assistant",
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
                .init(key: "item_id", value: .string(itemID)), .init(key: "output_index", value: 0),
                .init(key: "content_index", value: 0),
            ] + members.members)
    }

    private mutating func event(_ type: String, _ members: JSONObject) -> JSONValue {
        var object: JSONObject = ["type": .string(type), "sequence_number": JSONValue(sequenceNumber)]
        object.members += members.members
        sequenceNumber += 1
        return .object(object)
    }
}
