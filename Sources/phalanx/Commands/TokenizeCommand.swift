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
        if jsonl {
            try tokenizeLines(tokenizer)
        } else {
            let bytes = FileHandle.standardInput.readDataToEndOfFile()
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw CommandError("the standard input is not UTF-8 text")
            }
            write(tokenizer.encode(text, parseSpecial: special, addBOS: bos))
        }
    }

    private func tokenizeLines(_ tokenizer: Tokenizer) throws {
        var number = 0
        while let line = readLine(strippingNewline: true) {
            number += 1
            guard !line.isEmpty else { throw CommandError("line \(number) is empty; a JSON string was expected") }
            guard
                let value = try? JSONSerialization.jsonObject(with: Data(line.utf8), options: [.fragmentsAllowed]),
                let text = value as? String
            else { throw CommandError("line \(number) is not a JSON string") }
            write(tokenizer.encode(text, parseSpecial: special, addBOS: bos))
        }
    }

    private func write(_ ids: [Int32]) {
        print("[" + ids.map(String.init).joined(separator: ", ") + "]")
    }
}
