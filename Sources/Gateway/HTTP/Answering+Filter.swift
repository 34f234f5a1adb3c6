import Logging

/// What a filter does before the engine is asked.
extension Answering {
    /// The conversation with the operator's guard before it.
    func guarded(_ turns: [ChatTurn]) -> [ChatTurn] { filter?.guarded(turns) ?? turns }

    /// Throws `APIError` (`contentFiltered`) when a rule forbids what is said in a conversation.
    func check(_ turns: [ChatTurn]) async throws {
        try await check(turns.map { turn in turn.toolCalls.map { "\(turn.content)\n\($0)" } ?? turn.content })
    }

    /// Throws `APIError` (`contentFiltered`) when a rule forbids one of the texts.
    func check(_ texts: [String]) async throws {
        audit?.note(input: texts)
        guard let rule = try await filter?.objection(toInput: texts, logger: logger) else { return }
        audit?.note(rule: rule, choice: nil)
        logger.info("the filter refused a request", metadata: ["rule": .string(rule)])
        throw APIError(
            .contentFiltered, "The request was refused by this server's content filter, by its rule '\(rule)'.")
    }
}
