import Foundation
import Inference

/// Answers of `POST /v1/responses`, which are stored before their end is told.
struct ResponseShape: AnswerShape {
    private let job: AnswerJob
    private let parameters: ResponseParameters
    /// What the next response goes on from, but for this one's answer.
    private let history: [ChatTurn]
    private let store: any ResponseStore
    private var output: ResponseOutput
    /// Events of the stream so far.
    private var sequenceNumber = 0

    /// - Parameter toolMark: What begins calls of functions; nil when none may come.
    init(
        job: AnswerJob, parameters: ResponseParameters, history: [ChatTurn], store: any ResponseStore, toolMark: String?
    ) {
        self.job = job
        self.parameters = parameters
        self.history = history
        self.store = store
        output = ResponseOutput(job: job, toolMark: toolMark)
    }

    var framing: StreamFraming { .namedEvents }

    func whole(_ choices: [ChoiceDelta], usage: AnswerUsage) async throws -> JSONValue {
        var shape = self
        _ = shape.output.append(choices[0])
        _ = shape.output.finish()
        return try await shape.finished(usage)
    }

    mutating func opening() -> [JSONValue] {
        let response = response(.inProgress, output: [], usage: .null)
        return [
            event("response.created", ["response": response]), event("response.in_progress", ["response": response]),
        ] + output.begin().map { event($0.type, $0.members) }
    }

    mutating func chunk(_ delta: ChoiceDelta, choice: Int) -> [JSONValue] {
        output.append(delta).map { event($0.type, $0.members) }
    }

    mutating func closing(_ usage: AnswerUsage) async throws -> [JSONValue] {
        let ended = output.finish().map { event($0.type, $0.members) }
        let response = try await finished(usage)
        return ended + [event("response.\(output.status.rawValue)", ["response": response])]
    }

    mutating func failure(_ error: APIError) -> [JSONValue] {
        let code = error.kind == .overloaded ? "rate_limit_exceeded" : "server_error"
        let response = response(
            .failed, output: output.items(.incomplete), usage: .null,
            error: ["code": .string(code), "message": .string(error.message)])
        return [event("response.failed", ["response": response])]
    }

    /// The complete response, which is in the store when this returns, if the client wants it there.
    private func finished(_ usage: AnswerUsage) async throws -> JSONValue {
        let response = response(
            output.status, output: output.items(output.status), reason: output.incompleteReason,
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
            let turns = history + [output.turn]
            try await store.put(StoredResponse(response: response, turns: turns).encoded, id: job.id)
        }
        return response
    }

    private func response(
        _ status: ResponseOutput.Status, output: [JSONValue], reason: JSONValue = "max_output_tokens",
        usage: JSONValue, error: JSONValue = .null
    ) -> JSONValue {
        let labels = job.shared.labels
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func number(_ value: Int?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
        var response: JSONObject = [
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
            "previous_response_id": text(parameters.previousResponseID),
            "prompt_cache_key": text(labels.promptCacheKey),
            "reasoning": ["effort": .null, "summary": .null],
            "safety_identifier": text(labels.safetyIdentifier),
            "service_tier": "default",
            "store": .bool(parameters.isStored),
            "temperature": .single(job.shared.sampling.temperature),
            "top_logprobs": JSONValue(parameters.logprobCount ?? 0),
            "top_p": .single(job.shared.sampling.topP),
            "truncation": parameters.isTruncated ? "auto" : "disabled",
            "usage": usage,
            "user": text(labels.user),
        ]
        response.members += parameters.told.members
        return .object(response)
    }

    private mutating func event(_ type: String, _ members: JSONObject) -> JSONValue {
        var object: JSONObject = ["type": .string(type), "sequence_number": JSONValue(sequenceNumber)]
        object.members += members.members
        sequenceNumber += 1
        return .object(object)
    }
}
