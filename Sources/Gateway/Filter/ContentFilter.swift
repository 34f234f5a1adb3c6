import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1

/// Keeps texts that rules forbid out of prompts and answers.
public struct ContentFilter: Sendable {
    /// The longest match, in Unicode scalars: so much of an answer may be held back.
    static let longestMatch = 512

    let rules: FilterRules

    init(_ rules: FilterRules) { self.rules = rules }

    /// Reads a rules file; throws `GatewayFileError`.
    public static func load(_ path: String) throws -> ContentFilter {
        guard let file = FileHandle(forReadingAtPath: path),
            let bytes = try? file.read(upToCount: FilterRules.maxByteCount + 1)
        else { throw GatewayFileError("cannot read the rules file \(path): is it there, and may this user read it?") }
        guard bytes.count <= FilterRules.maxByteCount else {
            throw GatewayFileError("the rules file \(path) has more than \(FilterRules.maxByteCount) bytes")
        }
        do {
            return ContentFilter(try FilterRules(Array(bytes)))
        } catch let error as GatewayFileError {
            throw GatewayFileError("the rules file \(path): \(error)")
        }
    }

    /// A conversation with the guard before it: its own system message, or in front of the one that is there.
    func guarded(_ turns: [ChatTurn]) -> [ChatTurn] {
        guard let prompt = rules.systemPrompt, !prompt.isEmpty else { return turns }
        var turns = turns
        if let first = turns.first, first.role == .system {
            turns[0].content = first.content.isEmpty ? prompt : prompt + "\n\n" + first.content
        } else {
            turns.insert(ChatTurn(role: .system, content: prompt), at: 0)
        }
        return turns
    }

    /// The rule that forbids one of the texts; nil when all may pass.
    func objection(toInput texts: [String], logger: Logger) async throws -> String? {
        for text in texts {
            if let match = TextFilter.match(in: text, rules.input) { return rules.names[match.rule] }
        }
        guard let moderation = rules.moderation, moderation.checksInput else { return nil }
        return try await objection(of: moderation, to: texts, logger: logger)
    }

    /// The endpoint's objection to a whole answer.
    func objection(toOutput text: String, logger: Logger) async throws -> String? {
        guard let moderation = rules.moderation, moderation.checksOutput, !text.isEmpty else { return nil }
        return try await objection(of: moderation, to: [text], logger: logger)
    }

    /// Whether answers are held back until the endpoint has seen them whole.
    var checksWholeAnswers: Bool { rules.moderation?.checksOutput == true }

    // MARK: The moderation endpoint

    /// What the rule is called by which an endpoint objects.
    static let moderationRule = "moderation"
    private static let answerLimit = 4 << 20

    /// https://platform.openai.com/docs/api-reference/moderations
    private func objection(
        of moderation: FilterRules.Moderation, to texts: [String], logger: Logger
    ) async throws -> String? {
        do {
            var body: JSONObject = ["input": .array(texts.map { .string($0) })]
            if let model = moderation.model { body.append("model", .string(model)) }
            var request = HTTPClientRequest(url: moderation.url)
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            if let key = moderation.key { request.headers.add(name: "authorization", value: "Bearer \(key)") }
            request.body = .bytes(ByteBuffer(bytes: JSONValue.object(body).encoded))
            let response = try await HTTPClient.shared.execute(
                request, timeout: .milliseconds(Int64(moderation.timeoutMilliseconds)))
            let bytes = try await response.body.collect(upTo: Self.answerLimit)
            guard response.status == .ok, let isFlagged = Self.isFlagged(Array(bytes.readableBytesView), texts.count)
            else {
                throw GatewayFileError("status \(response.status.code), or an answer that is not OpenAI's")
            }
            return isFlagged ? Self.moderationRule : nil
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error("the moderation endpoint did not answer", metadata: ["error": "\(error)"])
            guard moderation.refusesOnFailure else { return nil }
            throw APIError(
                .unavailable, "The text could not be checked: the moderation service does not answer.",
                retryAfterSeconds: 5)
        }
    }

    private static func isFlagged(_ bytes: [UInt8], _ count: Int) -> Bool? {
        guard case .object(let object)? = try? JSONReader.read(bytes), case .array(let results)? = object["results"],
            results.count == count
        else { return nil }
        var isFlagged = false
        for result in results {
            guard case .object(let result) = result, case .bool(let flag)? = result["flagged"] else { return nil }
            isFlagged = isFlagged || flag
        }
        return isFlagged
    }
}
