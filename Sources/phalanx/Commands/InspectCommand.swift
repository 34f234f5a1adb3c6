import ArgumentParser
import Checkpoint
import Foundation
import Terminal

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Shows what a checkpoint holds: its shape, its tokenizer's size, its tensors and its model card.")

    @Argument(help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String

    @Flag(help: "List every tensor.")
    var tensors = false

    @Flag(help: "Print JSON.")
    var json = false

    private struct Report: Encodable {
        struct Tensor: Encodable {
            let name: String
            let type: String
            let rows: Int
            let columns: Int
        }

        let path: String
        let name: String
        let format: String
        let fingerprint: String
        let configuration: ModelConfiguration
        let parameterCount: Int
        let weightByteCount: Int
        let tensors: [Tensor]?
        let card: String?
    }

    func run() throws {
        let checkpoint = try Checkpoint.open(try DemoModel.resolve(model))
        if json { return try JSONOutput.write(report(checkpoint)) }
        try Output.line(try summary(checkpoint))
        if tensors { try Output.line("\n" + tensorTable(checkpoint)) }
        if let card = checkpoint.modelCard { try Output.line("\n" + card) }
    }

    private func report(_ checkpoint: Checkpoint) throws -> Report {
        let tensors = checkpoint.tensors.map { view in
            Report.Tensor(name: view.name, type: view.typeName, rows: view.rows, columns: view.columns)
        }
        return Report(
            path: checkpoint.path, name: checkpoint.name, format: checkpoint.format.rawValue,
            fingerprint: try checkpoint.fingerprint(), configuration: checkpoint.configuration,
            parameterCount: checkpoint.parameterCount, weightByteCount: checkpoint.weightByteCount,
            tensors: self.tensors ? tensors : nil, card: checkpoint.modelCard)
    }

    private func summary(_ checkpoint: Checkpoint) throws -> String {
        let model = checkpoint.configuration
        var table = Table([("", .left), ("", .left)])
        table.add(["name", checkpoint.name])
        table.add(["path", checkpoint.path])
        table.add(["format", checkpoint.format.rawValue])
        table.add(["licence", checkpoint.license ?? "not named"])
        table.add(["fingerprint", try checkpoint.fingerprint()])
        table.add(["parameters", "\(checkpoint.parameterCount)"])
        table.add(["weights", ByteCount.text(checkpoint.weightByteCount) + " (" + checkpoint.typeSummary + ")"])
        table.add(["layers", "\(model.layerCount)"])
        table.add(["hidden size", "\(model.hiddenSize)"])
        table.add([
            "attention heads", "\(model.headCount) of \(model.headDimension), \(model.kvHeadCount) for keys and values",
        ])
        table.add(["feed-forward size", "\(model.feedForwardSize)"])
        table.add([
            "vocabulary", "\(model.vocabularySize)\(model.tiedEmbeddings ? ", head tied to the embedding" : "")",
        ])
        table.add(["context", context(model)])
        table.add(["sliding window", model.slidingWindow.map { "\($0)" } ?? "none"])
        table.add(["rotary dimension", "\(model.rotaryDimension) of \(model.headDimension), base \(model.ropeTheta)"])
        table.add(["end tokens", model.endOfSequenceIDs.map(String.init).joined(separator: ", ")])
        return table.text()
    }

    private func context(_ model: ModelConfiguration) -> String {
        model.longRope == nil
            ? "\(model.contextLength)" : "\(model.contextLength) (LongRoPE beyond \(model.originalContextLength))"
    }

    private func tensorTable(_ checkpoint: Checkpoint) -> String {
        var table = Table([("TENSOR", .left), ("TYPE", .left), ("ROWS", .right), ("COLUMNS", .right), ("SIZE", .right)])
        for view in checkpoint.tensors {
            table.add([
                view.name, view.typeName, "\(view.rows)", "\(view.columns)", ByteCount.text(view.byteCount),
            ])
        }
        return table.text()
    }
}
