import ArgumentParser
import Checkpoint
import Foundation
import Tokenization

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turns text into token ids.",
        discussion: """
            With --jsonl, each line of the standard input is a JSON string, and each line of the output a JSON list of \
            ids. Otherwise the whole standard input is one text. Works on GGUF files that hold a vocabulary only, too.
            """)

    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String

    @Flag(help: "One JSON string per line in, one JSON list of ids per line out.")
    var jsonl = false

    @Flag(help: "Parse special tokens in the text; otherwise they are text like any other.")
    var special = false

    @Flag(help: "Put the token that begins a sequence first.")
    var bos = false

    func run() throws {
        let definition = try Checkpoint.open(try DemoModel.resolve(model)).tokenizerDefinition()
        if bos, definition.bosID == nil {
            throw CommandError("--bos was asked for, but the tokenizer of \(model) has no such token")
        }
        let tokenizer = try Tokenizer(definition)
        let bytes = try FileHandle.standardInput.readToEnd() ?? Data()
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError("the standard input is not UTF-8 text")
        }
        guard jsonl else { return try Output.line(ids(of: text, tokenizer)) }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // What follows the last end of line is no line.
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (index, line) in lines.enumerated() {
            let value = try? JSONSerialization.jsonObject(with: Data(line.utf8), options: [.fragmentsAllowed])
            guard let string = value as? String else {
                throw CommandError("line \(index + 1) is not a JSON string, such as \"Hello\"")
            }
            try Output.line(ids(of: string, tokenizer))
        }
    }

    private func ids(of text: String, _ tokenizer: Tokenizer) -> String {
        let ids = tokenizer.encode(text, parseSpecial: special, addBOS: bos)
        return "[" + ids.map(String.init).joined(separator: ", ") + "]"
    }
}
