import ArgumentParser
import CoordinatorClient
import Foundation
import Inference
import Logging
import Terminal
import Transport

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows a running cluster: its workers, their layers, memory and speed.")

    @Option(help: "The gateway's address.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "Ask the coordinator at HOST:PORT instead of a gateway.")
    var coordinator: AddressArgument?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @OptionGroup var logs: LogOptions

    func run() async throws {
        let status: ClusterStatus
        if let coordinator {
            let engine = RemoteEngine(
                transport: TCPTransport(logger: logs.logger("phalanx.transport")), host: coordinator.host,
                port: coordinator.port, logger: logs.logger("phalanx.status"))
            status = try await engine.status()
        } else {
            status = try await GatewayClient(url: url).status()
        }
        if json { try JSONOutput.write(status) } else { try Output.line(status.table()) }
    }
}
