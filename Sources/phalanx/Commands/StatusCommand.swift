import ArgumentParser
import CoordinatorClient
import Foundation
import Inference
import Logging
import Terminal
import Transport
import Trust

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows a running cluster: its workers, their layers, memory and speed.",
        discussion: """
            Before the workers it says how many KV pages (64 tokens each) are in use, cached and free, how many tokens of \
            prompts the prefix cache had, how many sequences were put back for want of pages, and how long the pipeline \
            waited for the coordinator from a step's result to the next step (median, 99th percentile and longest).
            """)

    @Option(help: "The gateway's address.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "Ask the coordinator at HOST:PORT instead of a gateway.")
    var coordinator: AddressArgument?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Where the credentials lie with which to ask a coordinator (default: as for a gateway).", valueName: "dir"))
    var clusterDir: String?

    @Flag(
        help: "Go on showing it until Ctrl-C: as a live table on a terminal, else as a line (or JSON object) each time."
    )
    var watch = false

    @Option(help: "Seconds between two looks with --watch, at least 0.1.")
    var interval = 1.0

    @OptionGroup var key: KeyOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        guard (0.1...86400).contains(interval) else {
            throw ValidationError("--interval must be from 0.1 to 86400 seconds.")
        }
    }

    func run() async throws {
        if watch { return try await StatusWatch(interval: .seconds(interval), json: json, look: try source()).run() }
        let status = try await source()()
        if json { try JSONOutput.write(status) } else { try Output.line(status.table()) }
    }

    /// Asks the gateway or the coordinator.
    private func source() throws -> @Sendable () async throws -> ClusterStatus {
        guard let coordinator else {
            let client = GatewayClient(url: url, key: try key.key())
            return { try await client.status() }
        }
        let engine = RemoteEngine(
            transport: TCPTransport(
                security: try BindOptions.ownSecurity(clusterDir, as: [.gateway, .coordinator]),
                logger: logs.logger("phalanx.transport")),
            host: coordinator.host, port: coordinator.port, logger: logs.logger("phalanx.status"))
        return { try await engine.status() }
    }
}
