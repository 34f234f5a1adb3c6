import Foundation
import Synchronization

/// What the audit log says about one request; the parts come as they are known.
final class AuditEntry: Sendable {
    private struct State {
        var record: JSONObject
        var filtered: [JSONValue] = []
        var input: [String] = []
        var output: [Int: String] = [:]
        var isLater = false
        var isWritten = false
    }

    private let log: AuditLog
    private let state: Mutex<State>

    init(_ log: AuditLog, requestID: String, method: String, path: String) {
        self.log = log
        state = Mutex(
            State(
                record: [
                    "time": .string(Date().ISO8601Format()), "request_id": .string(requestID),
                    "method": .string(method), "route": .string(path),
                ]))
    }

    deinit { write(status: 200, error: "the answer was not sent") }

    func note(_ member: String, _ value: JSONValue) { state.withLock { $0.record.append(member, value) } }

    /// - Parameter choice: nil for the prompt.
    func note(rule: String, choice: Int?) {
        let action: JSONValue = [
            "rule": .string(rule), "on": .string(choice == nil ? "input" : "output"),
            "choice": choice.map { JSONValue($0) } ?? .null,
        ]
        state.withLock { $0.filtered.append(action) }
    }

    func note(input texts: [String]) { if log.includesText { state.withLock { $0.input = texts } } }

    func note(output text: String, choice: Int) {
        if log.includesText { state.withLock { $0.output[choice, default: ""] += text } }
    }

    func note(_ usage: AnswerUsage) {
        note("prompt_tokens", JSONValue(usage.promptTokenCount))
        note("completion_tokens", JSONValue(usage.completionTokenCount))
    }

    /// The answer is streamed: its end is the entry's.
    func continueLater() { state.withLock { $0.isLater = true } }

    /// Writes the entry, unless its end comes later.
    func end(status: Int) {
        if !state.withLock({ $0.isLater }) { write(status: status) }
    }

    /// Writes the entry, once.
    func write(status: Int, error: String? = nil) {
        let record: JSONObject? = state.withLock { state in
            guard !state.isWritten else { return nil }
            state.isWritten = true
            var record = state.record
            record.append("status", JSONValue(status))
            if let error { record.append("error", .string(error)) }
            record.append("filtered", .array(state.filtered))
            if log.includesText {
                record.append("input", .array(state.input.map { .string($0) }))
                let choices = state.output.keys.sorted()
                record.append("output", .array(choices.map { .string(state.output[$0] ?? "") }))
            }
            return record
        }
        if let record { log.write(.object(record)) }
    }
}
