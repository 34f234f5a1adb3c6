extension ChatTemplate {
    /// Recognises a model's template by its text or, when it has none, by its special tokens.
    ///
    /// The text must be one of the published templates; how it is laid out (spaces, quotes, parentheses, joined or
    /// separate literals) does not matter. Anything else is refused rather than rendered in a way the model was not
    /// trained on.
    public static func detect(_ definition: TokenizerDefinition) throws(TokenizerError) -> ChatTemplate {
        guard let text = definition.chatTemplateText else {
            guard let template = bySpecialTokens(definition) else {
                throw TokenizerError(
                    .unsupported,
                    "the model has no chat template and none of the special tokens of a chat; use plain completions")
            }
            return template
        }
        return try detect(templateText: text)
    }

    /// Recognises a template by its Jinja text.
    public static func detect(templateText: String) throws(TokenizerError) -> ChatTemplate {
        if let signature = JinjaSignature(templateText), let known = published.first(where: { $0.0 == signature }) {
            return known.1
        }
        throw TokenizerError(
            .unsupported,
            "the model's chat template is none of those built in (Phi-3-mini, Phi-3-medium, Phi-3.5, Phi-4, "
                + "Phi-4-mini); give the checkpoint one of theirs, or use plain completions")
    }

    private static func bySpecialTokens(_ definition: TokenizerDefinition) -> ChatTemplate? {
        func has(_ tokens: String...) -> Bool { tokens.allSatisfy { definition.addedTokenID($0) != nil } }
        switch definition.model {
        case .sentencePieceBPE:
            return has("<|user|>", "<|assistant|>", "<|end|>") ? ChatTemplate(family: .phi3, endsWithEOS: true) : nil
        case .byteLevelBPE:
            if has("<|im_start|>", "<|im_sep|>", "<|im_end|>") { return ChatTemplate(family: .phi4) }
            return has("<|user|>", "<|assistant|>", "<|end|>")
                ? ChatTemplate(family: .phi4Mini, endsWithEOS: true) : nil
        }
    }

    private static let published: [(JinjaSignature, ChatTemplate)] = {
        let eachRole =
            "{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}"
            + "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}"
            + "{% endif %}{% endfor %}"
        let system = "{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}"
        let phi3 = "{% for message in messages %}{% if message['role'] == 'system' %}" + system + eachRole
        let phi35 =
            "{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}" + system
            + eachRole
        let phi3Any =
            "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|end|>\\n' }}"
            + "{% endfor %}"
        let phi3Medium =
            "{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|user|>' + '\\n' + "
            + "message['content'] + '<|end|>' + '\\n' + '<|assistant|>' + '\\n'}}"
            + "{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|end|>' + '\\n'}}"
            + "{% endif %}{% endfor %}"
        let phi4 =
            "{% for message in messages %}{% if (message['role'] == 'system') %}"
            + "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}"
            + "{% elif (message['role'] == 'user') %}"
            + "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}"
            + "{% elif (message['role'] == 'assistant') %}"
            + "{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}"
            + "{% endif %}{% endfor %}"
        let phi4First =
            "{% for message in messages %}{% if (message['role'] == 'system') %}"
            + "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}"
            + "{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + "
            + "'<|im_end|><|im_start|>assistant<|im_sep|>'}}"
            + "{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|im_end|>'}}"
            + "{% endif %}{% endfor %}"
        let phi4Mini =
            "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and "
            + "message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + "
            + "message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}"
            + "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
        func prompt(_ header: String, orEOS: Bool) -> String {
            "{% if add_generation_prompt %}{{ '\(header)' }}" + (orEOS ? "{% else %}{{ eos_token }}" : "")
                + "{% endif %}"
        }
        var texts: [(String, Family, Bool)] = [
            (phi3Medium, .phi3Medium, false), (phi4First, .phi4First, false),
            (phi4 + prompt("<|im_start|>assistant<|im_sep|>", orEOS: false), .phi4, false),
        ]
        for orEOS in [true, false] {
            texts.append((phi3 + prompt("<|assistant|>\\n", orEOS: orEOS), .phi3, orEOS))
            texts.append((phi3Any + prompt("<|assistant|>\\n", orEOS: orEOS), .phi3, orEOS))
            texts.append((phi35 + prompt("<|assistant|>\\n", orEOS: orEOS), .phi35, orEOS))
            texts.append((phi4Mini + prompt("<|assistant|>", orEOS: orEOS), .phi4Mini, orEOS))
        }
        return texts.flatMap { text, family, endsWithEOS in
            [("", false), ("{{ bos_token }}", true)].compactMap { bos, beginsWithBOS in
                JinjaSignature(bos + text).map {
                    ($0, ChatTemplate(family: family, beginsWithBOS: beginsWithBOS, endsWithEOS: endsWithEOS))
                }
            }
        }
    }()
}
