/// How a model is told about tools, and how it calls them.
///
/// Phi-4-mini has a format of its own. The others are told in words, in the system message (where their template has one)
/// or in front of the first question, and mark calls in the same way with other marks.
enum ToolStyle: Hashable, Sendable {
    /// Phi-4-mini's: tools in the system message between `<|tool|>` and `<|/tool|>`, results in the role `tool`.
    case native
    /// In words; `hasSystem` says whether the template writes system messages.
    case prompted(hasSystem: Bool)

    /// What begins calls, which are a JSON array of `{"name": ..., "arguments": {...}}`.
    var opening: String { self == .native ? "<|tool_call|>" : "<tool_call>" }

    var closing: String { self == .native ? "<|/tool_call|>" : "</tool_call>" }

    /// The conversation as the model's template can write it.
    ///
    /// - Parameter tools: Those that may be called; nil for none, where earlier calls are shown still.
    func turns(_ turns: [ChatTurn], tools: ToolSet?) -> [ChatTurn] {
        switch self {
        case .native:
            guard let tools else { return turns }
            var shown = turns
            if shown.first?.role != .system { shown.insert(ChatTurn(role: .system, content: ""), at: 0) }
            shown[0].tools = tools.json
            return shown
        case .prompted(let hasSystem):
            var shown = written(turns)
            guard let tools else { return shown }
            let role: ChatTurn.Role = hasSystem ? .system : .user
            guard let place = shown.firstIndex(where: { $0.role == role }), !hasSystem || place == 0 else {
                shown.insert(ChatTurn(role: role, content: instruction(tools)), at: 0)
                return shown
            }
            shown[place].content =
                hasSystem
                ? shown[place].content + "\n\n" + instruction(tools)
                : instruction(tools) + "\n\n" + shown[place].content
            return shown
        }
    }

    private func instruction(_ tools: ToolSet) -> String {
        """
        You can call these functions, described in JSON:
        \(tools.json)
        To call one or more of them, write \(opening)[{"name": "...", "arguments": {...}}]\(closing) and nothing after it. \
        Their results come back between <tool_response> and </tool_response>. If no function is needed, answer in words.
        """
    }

    /// Calls and results as text; results that follow one another are one turn of the user's.
    private func written(_ turns: [ChatTurn]) -> [ChatTurn] {
        var shown: [ChatTurn] = []
        var endsWithResult = false
        for turn in turns {
            switch turn.role {
            case .tool:
                let result = "<tool_response>\n\(turn.content)\n</tool_response>"
                if endsWithResult, let last = shown.indices.last {
                    shown[last].content += "\n" + result
                } else {
                    shown.append(ChatTurn(role: .user, content: result))
                }
            case .system, .user, .assistant:
                var turn = turn
                if let calls = turn.toolCalls { turn.content += opening + calls + closing }
                turn.toolCalls = nil
                shown.append(turn)
            }
            endsWithResult = turn.role == .tool
        }
        return shown
    }
}
