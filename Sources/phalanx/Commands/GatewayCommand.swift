import ArgumentParser
import CoordinatorClient
import Logging
import ServiceLifecycle
import Transport
import Trust

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serves the OpenAI API for a coordinator elsewhere, as a process of its own.",
        discussion:
            "Any number of gateways can stand before one coordinator. They hold no state of their own but the answers "
            + "of /v1/responses, which each gateway keeps for itself.")

    @Option(help: "The coordinator's address, HOST:PORT.")
    var coordinator: AddressArgument

    @Option(help: "The gateway's name in its certificate (default: of this machine).")
    var name: String?

    @Option(help: "The address of the OpenAI API.")
    var host = "127.0.0.1"

    @Option(name: .shortAndLong, help: "The port of the OpenAI API; 0 picks a free one.")
    var port = 8080

    @OptionGroup var tokens: TokenOptions
    @OptionGroup var api: APIOptions
    @OptionGroup var binding: BindOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        try binding.checkAPI(host, flag: "--host", isEncrypted: api.isEncrypted)
        try binding.check(
            coordinator.host, flag: "--coordinator", isEncrypted: tokens.encrypts(with: binding))
        guard (0...65535).contains(port) else { throw ValidationError("--port must be between 0 and 65535.") }
    }

    func run() async throws {
        let trust = try await NodeTrust.open(
            .gateway, name: name, binding: binding, tokens: tokens, coordinator: coordinator, logs: logs)
        let engine = RemoteEngine(
            transport: trust.transport, host: coordinator.host, port: coordinator.port,
            logger: logs.logger("phalanx.gateway"))
        let gateway = try await Serving.gateway(engine: engine, host: host, port: port, api: api, logs: logs)
        let logs = logs
        let announcement = TaskService {
            logs.note(
                "Gateway at \(try await gateway.url())/v1 for the coordinator at \(coordinator.host):\(coordinator.port)."
            )
            try await Serving.untilCancelled()
        }
        try await Serving.run(
            [gateway.service, announcement] + (trust.service.map { [$0] } ?? []), api: api,
            logger: logs.logger("phalanx"))
    }
}
