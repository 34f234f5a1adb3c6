import ArgumentParser
import CoordinatorClient
import Inference
import Terminal
import Transport
import Trust

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Takes a worker out of a running cluster, whose streams go on.",
        discussion: """
            The worker's layers go to the workers that stay, and to spare ones; then the worker is told to end, and exits \
            with status 0. No answer is lost or changed by that. `phalanx status` names the workers.

            A worker without which the model has no place in memory is refused with the reason, and stays: start another \
            one first.

            Ask on the coordinator's machine: where nodes know each other by certificates, only the coordinator's own \
            may drain workers. A worker can also be asked itself: SIGTERM has it drained, too.
            """)

    @Argument(help: "The worker's name.")
    var worker: String

    @Option(help: "The coordinator's address, HOST:PORT (default: 127.0.0.1:7070).")
    var coordinator: AddressArgument?

    @Option(
        help: ArgumentHelp(
            "Where the coordinator's credentials lie (default: as for a coordinator).", valueName: "dir"))
    var clusterDir: String?

    @Flag(help: "Return once it is begun, without waiting for the worker's end.")
    var noWait = false

    @OptionGroup var logs: LogOptions

    private static let pause = Duration.milliseconds(200)

    func run() async throws {
        let engine = RemoteEngine(
            transport: TCPTransport(
                security: try BindOptions.ownSecurity(clusterDir, as: [.coordinator]),
                logger: logs.logger("phalanx.transport")),
            host: coordinator?.host ?? "127.0.0.1", port: coordinator?.port ?? 7070,
            logger: logs.logger("phalanx.drain"))
        try await engine.drain(NodeID(worker))
        guard !noWait else { return try Output.line("\(worker) is being drained.") }
        let bar = ProgressBar()
        defer { bar.clear() }
        while case let workers = try await engine.status().workers,
            workers.contains(where: { $0.id.rawValue == worker })
        {
            let loading = workers.filter { $0.load != nil }
            let loaded = loading.reduce(0) { $0 + $1.loadedFraction } / Double(max(loading.count, 1))
            bar.show("Draining \(worker)", detail: "others load its layers", fraction: loaded)
            try await Task.sleep(for: Self.pause)
        }
        bar.clear()
        try Output.line("\(worker) is drained.")
    }
}
