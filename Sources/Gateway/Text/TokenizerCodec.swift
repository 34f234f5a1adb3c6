import Inference
import Tokenization

/// The served model's tokenizer as the gateway uses it.
struct TokenizerCodec: TextCodec {
    private let tokenizer: Tokenizer

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// Builds the codec from an encoded definition; throws `EngineError` when it is not one.
    static func load(_ definition: [UInt8], model: ModelDescription) throws -> any TextCodec {
        do {
            return TokenizerCodec(try Tokenizer(TokenizerDefinition(encoded: definition)))
        } catch {
            throw EngineError(code: .internal, message: "The tokenizer of '\(model.id)' cannot be used: \(error)")
        }
    }

    func encode(_ text: String, addingBeginning: Bool, parsingSpecial: Bool) throws -> [Int32] {
        tokenizer.encode(text, parseSpecial: parsingSpecial, addBOS: addingBeginning && tokenizer.addsBOS)
    }

    func decode(_ tokens: [Int32]) -> String { tokenizer.decode(tokens, skipSpecial: false) }

    func encode(chat turns: [ChatTurn]) throws -> [Int32] {
        let messages = turns.map { turn in
            let role: ChatRole =
                switch turn.role {
                case .system: .system
                case .user: .user
                case .assistant: .assistant
                case .tool: .tool
                }
            return ChatMessage(role: role, content: turn.content, tools: turn.tools, toolCalls: turn.toolCalls)
        }
        do {
            return try tokenizer.encode(messages: messages, addGenerationPrompt: true)
        } catch {
            throw APIError.invalid("messages", error.message)
        }
    }

    var toolStyle: ToolStyle {
        switch try? tokenizer.chatTemplate().family {
        case .phi4Mini: .native
        case .phi3Medium: .prompted(hasSystem: false)
        case .phi3, .phi35, .phi4, .phi4First, nil: .prompted(hasSystem: true)
        }
    }

    func makeTextStream(continuing: Bool) -> any TokenTextStream {
        StreamingDetokenizer(tokenizer, stripLeadingSpace: !continuing)
    }

    func bytes(of token: Int32) -> [UInt8] { tokenizer.tokenBytes(token, skipSpecial: false) }
}

extension StreamingDetokenizer: TokenTextStream {}
