/// How a model wants a chat to be written: the published templates of the family, built in.
///
/// Renderings equal those of transformers' `apply_chat_template`.
public struct ChatTemplate: Sendable, Equatable {
    /// The template's form.
    public enum Family: String, Sendable, CaseIterable {
        /// Phi-3-mini: a line break after each role and each `<|end|>`.
        case phi3
        /// Phi-3-medium (and the first GGUF files of Phi-3-mini): the header of the answer follows each question, whether
        /// asked for or not, and **system messages are left out**, as transformers does.
        case phi3Medium
        /// Phi-3.5 and Phi-3.5-MoE: as Phi-3-mini, without empty system messages.
        case phi35
        /// Phi-4: `<|im_start|>role<|im_sep|>...<|im_end|>`.
        case phi4
        /// Phi-4 as first published: the header of the answer follows each question.
        case phi4First
        /// Phi-4-mini: no line breaks; tools in the system message.
        case phi4Mini
    }

    /// The template's form.
    public let family: Family
    /// Whether the beginning-of-text token comes first.
    public let beginsWithBOS: Bool
    /// Whether the end-of-text token follows a chat that does not ask for an answer.
    public let endsWithEOS: Bool

    /// A template by its parts.
    public init(family: Family, beginsWithBOS: Bool = false, endsWithEOS: Bool = false) {
        self.family = family
        self.beginsWithBOS = beginsWithBOS
        self.endsWithEOS = endsWithEOS
    }

    /// A part of a rendered chat.
    struct Segment: Equatable {
        let text: String
        /// Whether the text is the template's own, so that special tokens in it count.
        let isLiteral: Bool

        static func literal(_ text: String) -> Segment { Segment(text: text, isLiteral: true) }
        static func content(_ text: String) -> Segment { Segment(text: text, isLiteral: false) }
    }

    /// The chat as the template writes it.
    ///
    /// - Parameters:
    ///   - messages: At least one.
    ///   - addGenerationPrompt: Whether the header of the model's answer follows.
    ///   - bosToken: The text of the model's beginning-of-text token.
    ///   - eosToken: The text of the model's end-of-text token.
    /// - Throws: `TokenizerError` when a role or the tools cannot be expressed.
    public func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String = "", eosToken: String = ""
    ) throws(TokenizerError) -> String {
        try segments(messages, addGenerationPrompt: addGenerationPrompt, bosToken: bosToken, eosToken: eosToken)
            .reduce(into: "") { $0 += $1.text }
    }

    func segments(
        _ messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String, eosToken: String
    ) throws(TokenizerError) -> [Segment] {
        guard !messages.isEmpty else { throw TokenizerError(.chat, "a chat needs at least one message") }
        var parts: [Segment] = beginsWithBOS ? [.literal(bosToken)] : []
        for message in messages {
            if message.role == .tool, family != .phi4Mini {
                throw TokenizerError(
                    .chat, "this model's chat template (\(family.rawValue)) has no role \"tool\"; only Phi-4-mini's has"
                )
            }
            if message.tools != nil, family != .phi4Mini || message.role != .system {
                throw TokenizerError(.chat, "only a system message of Phi-4-mini can describe tools")
            }
            if message.toolCalls != nil, family != .phi4Mini || message.role != .assistant {
                throw TokenizerError(.chat, "only an assistant's message of Phi-4-mini can call tools")
            }
            append(message, to: &parts)
        }
        if addGenerationPrompt {
            parts.append(.literal(generationPrompt))
        } else if endsWithEOS {
            parts.append(.literal(eosToken))
        }
        return parts
    }

    private func append(_ message: ChatMessage, to parts: inout [Segment]) {
        let role = message.role.rawValue
        switch family {
        case .phi3, .phi35:
            if family == .phi35, message.role == .system, message.content.isEmpty { return }
            parts += [.literal("<|\(role)|>\n"), .content(message.content), .literal("<|end|>\n")]
        case .phi3Medium:
            switch message.role {
            case .user:
                parts += [
                    .literal("<|user|>\n"), .content(message.content), .literal("<|end|>\n<|assistant|>\n"),
                ]
            case .assistant: parts += [.content(message.content), .literal("<|end|>\n")]
            case .system, .tool: break
            }
        case .phi4:
            parts += [
                .literal("<|im_start|>\(role)<|im_sep|>"), .content(message.content), .literal("<|im_end|>"),
            ]
        case .phi4First:
            switch message.role {
            case .user:
                parts += [
                    .literal("<|im_start|>user<|im_sep|>"), .content(message.content),
                    .literal("<|im_end|><|im_start|>assistant<|im_sep|>"),
                ]
            case .assistant: parts += [.content(message.content), .literal("<|im_end|>")]
            case .system, .tool:
                parts += [
                    .literal("<|im_start|>\(role)<|im_sep|>"), .content(message.content), .literal("<|im_end|>"),
                ]
            }
        case .phi4Mini:
            parts += [.literal("<|\(role)|>"), .content(message.content)]
            if let tools = message.tools {
                parts += [.literal("<|tool|>"), .content(tools), .literal("<|/tool|>")]
            }
            if let calls = message.toolCalls {
                parts += [.literal("<|tool_call|>"), .content(calls), .literal("<|/tool_call|>")]
            }
            parts.append(.literal("<|end|>"))
        }
    }

    private var generationPrompt: String {
        switch family {
        case .phi3, .phi35: "<|assistant|>\n"
        case .phi3Medium, .phi4First: ""
        case .phi4: "<|im_start|>assistant<|im_sep|>"
        case .phi4Mini: "<|assistant|>"
        }
    }
}
