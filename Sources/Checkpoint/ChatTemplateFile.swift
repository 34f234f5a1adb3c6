import Foundation

/// The chat template of a Hugging Face directory.
enum ChatTemplateFile {
    /// `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`; of a list of templates the one named
    /// "default". Nil when there is none.
    static func text(in directory: URL) throws(CheckpointError) -> String? {
        let file = directory.appendingPathComponent("chat_template.jinja").path
        if let text = try TextFile.text(file, limit: TextFile.configurationLimit) { return text }
        let settings = try TextFile.json(directory.appendingPathComponent("tokenizer_config.json").path)
        switch settings?["chat_template"] {
        case .string(let text): return text
        case .array(let templates):
            let named = templates.first { $0["name"]?.text == "default" } ?? templates.first
            return named?["template"]?.text
        default: return nil
        }
    }
}
