/// Who speaks in a chat.
public enum ChatRole: String, Sendable, CaseIterable {
    /// Instructions for the whole chat.
    case system
    /// The person, or program, that asks.
    case user
    /// The model.
    case assistant
    /// The result of a tool that the model called.
    case tool
}

/// One turn of a chat.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks.
    public var role: ChatRole
    /// What is said; special tokens in it are text.
    public var content: String
    /// On a system message of Phi-4-mini: the descriptions of the tools, as JSON text.
    public var tools: String?
    /// On an assistant's message of Phi-4-mini: the tools that it called, as JSON text.
    public var toolCalls: String?

    /// A turn.
    public init(role: ChatRole, content: String, tools: String? = nil, toolCalls: String? = nil) {
        self.role = role
        self.content = content
        self.tools = tools
        self.toolCalls = toolCalls
    }
}
