import ArgumentParser
import CoordinatorClient
import CoordinatorNode
import Foundation
import Inference
import Logging
import ServiceLifecycle
import Transport

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Splits a model over workers that join, and serves it through a gateway.",
        discussion: """
            The first --workers workers are planned with together: as one pipeline, or as several that each hold the whole \
            model where these are forecast to give more tokens per second; workers of one machine stay together. Workers that \
            join later serve beside as further pipelines as soon as they can hold the model, without a pause for the \
            requests that run; until then they are spares. When a worker is lost, the requests of its pipeline go on in the \
            others. --replicas 1 makes one pipeline and leaves later workers as spares; --replicas N makes N.

            The gateway runs in the same process unless --no-gateway is given. Workers on other machines need --bind with \
            an address that they can reach, and credentials: `phalanx cluster init` makes them. Then nodes speak mutual TLS, and \
            the gRPC health service, too, answers only who has a certificate; the gateway's /healthz and /readyz stay open.
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var caching: CoordinatorCacheOptions

    @Option(help: "The address to listen on for workers and gateways.")
    var bind = "127.0.0.1"

    @Option(help: "The port to listen on for workers and gateways; 0 picks a free one.")
    var port = 7070

    @Option(name: .shortAndLong, help: "Workers to wait for before the first plan.")
    var workers = 1

    @Option(help: "The address of the OpenAI API.")
    var httpHost = "127.0.0.1"

    @Option(help: "The port of the OpenAI API; 0 picks a free one.")
    var httpPort = 8080

    @Flag(help: "Run no gateway in this process.")
    var noGateway = false

    @Option(help: "Write the addresses and layers to this file (JSON) once the model is served.")
    var readyFile: String?

    @OptionGroup var api: APIOptions
    @OptionGroup var binding: BindOptions
    @OptionGroup var logs: LogOptions

    mutating func validate() throws {
        try binding.check(bind, flag: "--bind", isEncrypted: binding.directory != nil)
        try binding.checkAPI(httpHost, flag: "--http-host", isEncrypted: api.isEncrypted)
        guard (0...65535).contains(port), (0...65535).contains(httpPort) else {
            throw ValidationError("Ports must be between 0 and 65535.")
        }
        guard workers >= 1 else { throw ValidationError("--workers must be at least 1.") }
        try model.checkSplit(workerCount: workers)
    }

    func run() async throws {
        try ReadyFile.prepare(readyFile)
        var configuration = try model.coordinatorConfiguration(host: bind, port: port, workerCount: workers)
        // They join again when the coordinator comes back.
        configuration.dismissesWorkers = false
        configuration.cacheDirectory = caching.directory
        configuration.clientKeys = binding.clientKeys
        let authority = try binding.directory.map {
            try TrustAuthority(directory: $0, logger: logs.logger("phalanx.trust"))
        }
        let coordinator = try Coordinator(
            configuration: configuration,
            transport: TCPTransport(security: authority?.security, logger: logs.logger("phalanx.transport")),
            logger: logs.logger("phalanx.coordinator"))
        let layerCount = await coordinator.layerCount
        try model.checkWorkers(workers, layerCount: layerCount)
        let address = "\(bind):\(try await coordinator.start(serving: authority?.handlers ?? [:]))"
        logs.note("Workers join with: phalanx worker --join \(address)\(authority == nil ? "" : " --token-file FILE")")
        var services: [any Service] = [TaskService { try await coordinator.run() }]
        if let authority { services.append(TaskService { try await authority.run() }) }
        var gateway: Serving.GatewayHandle?
        if !noGateway {
            let handle = try await Serving.gateway(
                engine: coordinator, host: httpHost, port: httpPort, api: api, logs: logs)
            services.append(handle.service)
            gateway = handle
        }
        services.append(announcement(coordinator, address: address, gateway: gateway))
        try await Serving.run(services, api: api, logger: logs.logger("phalanx"))
    }

    /// Says when the model is served, and writes the ready file.
    private func announcement(
        _ coordinator: Coordinator, address: String, gateway: Serving.GatewayHandle?
    ) -> TaskService {
        let (readyFile, logs) = (readyFile, logs)
        return TaskService {
            let url = try await gateway?.url()
            var lastReason: String?
            while true {
                let status = try await coordinator.status()
                if status.state == .ready {
                    logs.note("Serving \(status.model.id)\(url.map { " at \($0)/v1" } ?? "").")
                    let file = ReadyFile(url: url ?? "", coordinator: address, status: status)
                    if let readyFile { try file.write(to: readyFile) }
                    break
                }
                if let reason = status.reason, reason != lastReason { logs.note(reason) }
                lastReason = status.reason
                try await Task.sleep(for: .milliseconds(100))
            }
            try await Serving.untilCancelled()
        }
    }
}

/// A line for the user, on the error output.
func note(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
