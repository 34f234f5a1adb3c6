import ArgumentParser
import Foundation
import Inference
import Tokenization

struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Starts a cluster on this machine, continues one prompt and ends.",
        discussion: """
            The answer is streamed to the standard output; with --json, one JSON object is printed at the end. Special \
            tokens in --prompt are parsed, unless --chat makes it the message of a user.
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var resources: ResourceOptions
    @OptionGroup var caching: CacheOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var logs: LogOptions

    @Option(name: .shortAndLong, help: "Worker processes to start.")
    var workers = 1

    @Option(name: .shortAndLong, help: "The text to continue.")
    var prompt: String?

    @Option(help: "The token ids to continue, such as 1,2,3 (nothing is added to them).")
    var promptIds: IntegerListArgument?

    @Flag(help: "The prompt is a message of a user: wrap it in the model's chat template.")
    var chat = false

    @Option(
        name: [.customShort("n"), .long], help: "The most tokens to generate (default: to the end of the context).")
    var maxTokens: Int?

    @Option(help: "Report log-probabilities of prompt and answer, with the K likeliest tokens per position.")
    var logprobs: Int?

    @Flag(name: .customLong("ignore-eos"), help: "Go on through the model's end tokens.")
    var ignoreEndOfSequence = false

    @Flag(help: "Print one JSON object instead of the text.")
    var json = false

    mutating func validate() throws {
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1.") }
        guard (prompt == nil) != (promptIds == nil) else {
            throw ValidationError("Give either --prompt TEXT or --prompt-ids 1,2,3.")
        }
        try model.checkSplit(workerCount: workers)
        if chat, promptIds != nil { throw ValidationError("--chat needs --prompt TEXT.") }
        if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens must be at least 0.") }
        if let logprobs, !(0...20).contains(logprobs) {
            throw ValidationError("--logprobs must be between 0 and 20.")
        }
        if let promptIds, promptIds.values.contains(where: { Int32(exactly: $0) == nil }) {
            throw ValidationError("--prompt-ids holds a number that is no token id.")
        }
    }

    func run() async throws {
        let cluster = try await LocalCluster(
            model: model, workerCount: workers, resources: resources, caching: caching, logs: logs)
        do {
            try await cluster.waitUntilReady()
            try await answer(by: cluster.coordinator)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    private func answer(by engine: some Engine) async throws {
        let description = try await engine.describe()
        let tokenizer = try Tokenizer(
            TokenizerDefinition(encoded: try await engine.tokenizerDefinition(hash: description.tokenizerHash)))
        let prompt = try promptTokens(tokenizer)
        let request = GenerationRequest(
            id: RequestID("generate"), prompt: prompt, maxTokens: maxTokens, sampling: sampling.parameters,
            seed: sampling.seed, ignoreEndOfSequence: ignoreEndOfSequence, logprobCount: json ? logprobs ?? 0 : nil,
            promptLogprobCount: json ? logprobs : nil)
        let stream = try await engine.generate(request)
        var text = StreamingDetokenizer(tokenizer, stripLeadingSpace: chat)
        var output = GenerateOutput(promptIDs: prompt)
        for try await event in stream.events {
            switch event {
            case .promptLogprobs(let tokens): output.setPromptLogprobs(tokens)
            case .token(_, let token):
                let piece = text.append(token.token)
                output.append(token, text: piece)
                if !json { try Output.write(piece) }
            case .finished(_, let reason): output.finishReason = reason.rawValue
            case .completed(let usage): output.timings = GenerateOutput.Timings(usage)
            case .queued, .prefilled, .embedding: break
            }
        }
        let rest = text.finish()
        output.text += rest
        if json { try JSONOutput.write(output) } else { try Output.line(rest) }
    }

    private func promptTokens(_ tokenizer: Tokenizer) throws -> [Int32] {
        if let promptIds { return promptIds.values.compactMap { Int32(exactly: $0) } }
        let text = prompt ?? ""
        if chat {
            return try tokenizer.encode(
                messages: [ChatMessage(role: .user, content: text)], addGenerationPrompt: true)
        }
        return tokenizer.encode(text, parseSpecial: true, addBOS: tokenizer.addsBOS)
    }
}
