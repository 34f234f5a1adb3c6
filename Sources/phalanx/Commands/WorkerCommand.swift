import ArgumentParser
import Checkpoint
import Foundation
import Host
import Inference
import Logging
import ServiceLifecycle
import Transport
import Trust
import WorkerNode

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Joins a coordinator, holds some of the model's layers and computes.",
        discussion: """
            The worker opens the checkpoint at --model, or at the path that the coordinator names, and reads only its own \
            layers. Where neither is given and the coordinator's path leads to no such checkpoint on this machine, it \
            fetches the weights of its layers, and only those, from the coordinator and from workers that have them: \
            checked by SHA-256 against the coordinator's list, kept in the cache directory within --cache-limit, and \
            continued where they stopped after a cut. A file that --model names and that is not the coordinator's model \
            is an error.

            It joins again by itself when the coordinator went away and comes back.

            SIGTERM asks the coordinator to give the worker's layers to others first (see `phalanx drain --help`), and \
            then ends it with status 0. While the cluster cannot do without the worker it stays, for at most \
            --drain-timeout seconds. A second SIGTERM, or SIGINT (Ctrl-C), ends it at once.

            With a join token of `phalanx cluster invite` the worker gets a key and a certificate of its own at its first \
            start; from then on it needs no token.
            """)

    @Option(help: "The coordinator's address, HOST:PORT.")
    var join: AddressArgument

    @Option(help: "The address to listen on for the previous stage.")
    var bind = "127.0.0.1"

    @Option(help: "The port to listen on; 0 picks a free one.")
    var port = 0

    @Option(help: "The host under which other workers reach this one (default: the one of --bind).")
    var advertise: String?

    @Option(
        help: "The worker's name, unique in the cluster (default: as in its certificate, or host name and process id).")
    var name: String?

    @Option(
        name: .shortAndLong, help: "This machine's copy of the model (default: the path that the coordinator names).")
    var model: String?

    @Flag(help: "Fetch no weights from other nodes: a worker without the model then fails.")
    var noFetch = false

    @OptionGroup var resources: ResourceOptions
    @OptionGroup var caching: CacheOptions

    @Option(help: "Processors to pin the compute threads to, such as 0,1 (default: not pinned).")
    var cpus: IntegerListArgument?

    @Option(help: "Speed in bytes of weights per second, instead of measuring it.")
    var speed: Double?

    @Option(help: "Seconds that SIGTERM waits for others to take the layers over, 0 to 86400.")
    var drainTimeout = 25.0

    @Flag(help: .hidden)
    var exitWithInput = false

    @OptionGroup var tokens: TokenOptions
    @OptionGroup var binding: BindOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        let isEncrypted = tokens.encrypts(with: binding)
        try binding.check(bind, flag: "--bind", isEncrypted: isEncrypted)
        try binding.check(join.host, flag: "--join", isEncrypted: isEncrypted)
        if bind == "0.0.0.0" || bind == "::", advertise == nil {
            throw ValidationError("--bind \(bind) is no address that others can dial: add --advertise HOST.")
        }
        if let speed, !(speed > 0 && speed.isFinite) { throw ValidationError("--speed must be a positive number.") }
        guard (0...86400).contains(drainTimeout) else {
            throw ValidationError("--drain-timeout must be from 0 to 86400 seconds.")
        }
        guard (0...65535).contains(port) else { throw ValidationError("--port must be between 0 and 65535.") }
    }

    func run() async throws {
        let machine = Machine.detect()
        let threadCount = resources.threadCount(of: machine)
        let logger = logs.logger("phalanx.worker")
        let processID = Int(ProcessInfo.processInfo.processIdentifier)
        let cache = caching.cache(logger: logger)
        let trust = try await NodeTrust.open(
            .worker, name: name, binding: binding, tokens: tokens, coordinator: join, logs: logs)
        var configuration = WorkerConfiguration(
            coordinatorHost: join.host, coordinatorPort: join.port, bindHost: bind, bindPort: port,
            advertisedHost: advertise ?? bind,
            node: NodeID(trust.name ?? name ?? "\(ProcessInfo.processInfo.hostName)-\(processID)"),
            processID: processID,
            threadCount: threadCount, processors: cpus?.values,
            memoryByteCount: resources.memoryByteCount(of: machine),
            bytesPerSecond: try speed ?? SpeedProbe.bytesPerSecond(threadCount: threadCount, processors: cpus?.values),
            modelPath: try model.map(DemoModel.resolve), cache: cache,
            // A worker that was started by another command is shown there.
            watchLoading: exitWithInput ? nil : LoadingDisplay(isSilent: logs.isForPrograms).show)
        configuration.fetchesWeights = !noFetch
        let worker = Worker(
            configuration: configuration, transport: trust.transport,
            logger: logs.logger("phalanx.worker", node: configuration.node.rawValue))
        // A parent that asks for the end waits longer than this before it insists.
        if exitWithInput { InputWatch.exitAtEnd { cache?.finishWriting(withinSeconds: 1) } }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: TaskService { try await worker.run() },
                        successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(
                        service: WorkerSignals(worker: worker, patience: .seconds(drainTimeout)),
                        successTerminationBehavior: .gracefullyShutdownGroup),
                ] + (trust.service.map { [.init(service: $0)] } ?? []),
                logger: logger))
        try await group.run()
    }
}
