import ArgumentParser
import Foundation
import Inference
import ServiceLifecycle
import Terminal

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talks with a model: one that is served already (--url), or one to be served for the talk (--model).",
        discussion: """
            Without --prompt, messages are read line by line until Ctrl-D. At a terminal, lines are edited with the usual \
            keys (arrows, Ctrl-A, -E, -K, -U, -W, -R), earlier ones come back with the up arrow, and Ctrl-C stops an answer. \
            What was typed is kept in ~/.local/state/phalanx/chat_history. In the talk:

            \(ChatInput.commands)
            """)

    @Option(help: "The gateway's address (default: http://127.0.0.1:8080, unless --model is given).")
    var url: String?

    @Option(
        name: .shortAndLong,
        help: "Start a cluster on this machine for a GGUF file, a Hugging Face directory or \"demo\".")
    var model: String?

    @Option(name: .shortAndLong, help: "Worker processes to start with --model.")
    var workers = 2

    @Option(name: .shortAndLong, help: "Ask this, print the answer and end.")
    var prompt: String?

    @Option(help: "What the model is told before the talk.")
    var system: String?

    @Option(help: "0 always takes the likeliest token (default: the gateway's).")
    var temperature: Double?

    @Option(help: "Leaves out the least likely tokens beyond this sum of probabilities (default: the gateway's).")
    var topP: Double?

    @Option(name: [.customShort("n"), .long], help: "The most tokens per answer.")
    var maxTokens: Int?

    @Option(help: "Makes sampled answers repeatable.")
    var seed: Int?

    @OptionGroup var key: KeyOptions
    @OptionGroup var resources: ResourceOptions
    @OptionGroup var caching: CacheOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        if url != nil, model != nil { throw ValidationError("Give either --url or --model.") }
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1.") }
    }

    func run() async throws {
        guard let model else {
            return try await talk(through: GatewayClient(url: url ?? "http://127.0.0.1:8080", key: try key.key()))
        }
        let options = try ModelOptions.parse(["--model", model])
        let cluster = try await LocalCluster(
            model: options, workerCount: workers, resources: resources, caching: caching, logs: logs)
        do {
            try await cluster.waitUntilReady()
            let gateway = try await Serving.gateway(
                engine: cluster.coordinator, host: "127.0.0.1", port: 0, api: APIOptions.parse([]), logs: logs)
            let serving = Task { try await gateway.service.run() }
            defer { serving.cancel() }
            guard let url = try? await gateway.url() else { return try await serving.value }
            try await talk(through: GatewayClient(url: url))
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    private func talk(through client: GatewayClient) async throws {
        let served = try await client.status().model.id
        let settings = ChatSettings(temperature: temperature, topP: topP, maxTokens: maxTokens, seed: seed)
        var session = ChatSession(
            client: client, model: served, transcript: ChatTranscript(system: system, settings: settings))
        if let prompt { try await session.ask(prompt) } else { try await session.run() }
    }
}
