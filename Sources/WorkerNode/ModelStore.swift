import Checkpoint
import CoordinatorClient
import Host
import Inference
import Logging
import Phi
import Synchronization
import Transport
import Trust
import Wire

/// Where a worker's checkpoint comes from: this machine's files, or, for the layers that it computes, other nodes.
///
/// It also gives other workers what this one has.
final class ModelStore: Sendable {
    private struct Shelf {
        let fingerprint: String
        let files: any WeightFiles
    }

    private let configuration: WorkerConfiguration
    private let transport: any RPCTransport
    private let logger: Logger
    /// What others may have of the latest checkpoint.
    private let shelf = Mutex<Shelf?>(nil)

    private static let connectTimeout = Duration.seconds(5)

    init(configuration: WorkerConfiguration, transport: any RPCTransport, logger: Logger) {
        self.configuration = configuration
        self.transport = transport
        self.logger = logger
    }

    /// Serves `Services.readWeights`.
    var readHandler: RPCHandler {
        WeightsService.readHandler { [weak self] request in
            guard let shelf = self?.shelf.withLock({ $0 }), shelf.fingerprint == request.fingerprint else {
                // Not for good: it may be about to open the same one.
                throw RPCError(.unavailable, "this worker does not have the checkpoint open")
            }
            do {
                return try await BlockingWork.run {
                    try shelf.files.read(
                        file: request.file, fileByteCount: request.fileByteCount, range: request.range)
                }
            } catch {
                throw RPCError(.unavailable, "this worker cannot read its checkpoint: \(error)")
            }
        }
    }

    /// Gets the checkpoint of an assignment, as much of it as its layers need, and calls `load` with it.
    ///
    /// - Parameter parts: what is in memory already.
    /// - Throws: `WorkerError` or `CheckpointError` when it is not to be had, and what `load` throws.
    func load<Loaded: Sendable>(
        _ assignment: StageAssignment, keeping parts: LoadedParts, report: @escaping @Sendable (LoadProgress) -> Void,
        _ load: @Sendable (Checkpoint) async throws -> Loaded
    ) async throws -> Loaded {
        if let own = try await openOwn(assignment) { return try await load(own) }
        let model = try await fetchManifest(assignment, report)
        do {
            return try await load(try await fetch(model, assignment, parts, report, isPackedEnough: true))
        } catch let error as CheckpointError where error.code == .notFetched {
            // A packed part turned out to be unfit: it takes the weights after all.
            logger.info("Fetching weights that the cache has lost", metadata: ["reason": "\(error.message)"])
            return try await load(try await fetch(model, assignment, parts, report, isPackedEnough: false))
        }
    }

    // MARK: This machine's files

    /// Opens the checkpoint on this machine; nil when there is none and weights may be fetched.
    private func openOwn(_ assignment: StageAssignment) async throws -> Checkpoint? {
        let path = configuration.modelPath ?? assignment.modelPath
        let cacheDirectory = configuration.cache?.settings.directory
        do {
            let checkpoint = try await BlockingWork.run {
                let checkpoint = try Checkpoint.open(path)
                let fingerprint = try checkpoint.fingerprint(rememberedIn: cacheDirectory)
                guard fingerprint == assignment.modelFingerprint else {
                    throw WorkerError(
                        "\(path) is not the checkpoint that the coordinator serves (its hash is "
                            + "\(fingerprint.prefix(16)), the coordinator's \(assignment.modelFingerprint.prefix(16))); "
                            + "copy the same file to every machine")
                }
                return checkpoint
            }
            let shelf = Shelf(fingerprint: assignment.modelFingerprint, files: WholeWeightFiles(checkpoint))
            self.shelf.withLock { $0 = shelf }
            return checkpoint
        } catch {
            guard configuration.modelPath == nil else { throw error }
            guard let obstacle else {
                logger.info("Fetching the weights", metadata: ["reason": "\(error)"])
                return nil
            }
            throw WorkerError(
                "\(error) (this is the path that the coordinator names; if this machine has the model elsewhere, start "
                    + "the worker with --model PATH; weights are not fetched \(obstacle))")
        }
    }

    /// Why no weights are fetched; nil when they are.
    private var obstacle: String? {
        if !configuration.fetchesWeights { return "because of --no-fetch" }
        return configuration.cache == nil ? "without a cache to keep them in: name a --cache-dir" : nil
    }

    // MARK: Other nodes

    private func fetchManifest(
        _ assignment: StageAssignment, _ report: @Sendable (LoadProgress) -> Void
    ) async throws -> FetchedModel {
        guard let cache = configuration.cache else { throw WorkerError("weights are fetched into a cache") }
        let connection = try await transport.connect(
            host: configuration.coordinatorHost, port: configuration.coordinatorPort, timeout: Self.connectTimeout,
            expecting: .coordinator)
        let manifest: [UInt8]
        do {
            manifest = try await WeightsService.manifest(from: connection, fingerprint: assignment.modelFingerprint) {
                report(LoadProgress(activity: .hashing, doneByteCount: $0, totalByteCount: $1))
            }
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
        let model = try await BlockingWork.run {
            try cache.fetchedModel(manifest: manifest, fingerprint: assignment.modelFingerprint)
        }
        shelf.withLock { $0 = Shelf(fingerprint: assignment.modelFingerprint, files: model) }
        return model
    }

    /// Fetches what the layers need and is not here.
    ///
    /// - Parameter isPackedEnough: whether parts that the cache holds packed need no weights.
    private func fetch(
        _ model: FetchedModel, _ assignment: StageAssignment, _ parts: LoadedParts,
        _ report: @escaping @Sendable (LoadProgress) -> Void, isPackedEnough: Bool
    ) async throws -> Checkpoint {
        try await fetch(model.descriptionPieces, of: model, assignment, report)
        let packed = isPackedEnough ? configuration.cache?.model(assignment.modelFingerprint) : nil
        let pieces = try await BlockingWork.run {
            let checkpoint = try model.open()
            var pieces: Set<Int> = []
            for part in StageModel.parts(of: checkpoint.configuration, layers: assignment.layers)
            where !parts.holds(part, of: assignment.modelFingerprint) {
                let plan = try checkpoint.packedPlan(of: part)
                if packed?.holds(plan) != true { pieces.formUnion(try model.pieces(of: plan)) }
            }
            return pieces.sorted()
        }
        try await fetch(pieces, of: model, assignment, report)
        // Mapped anew, so that nothing is seen of what was there before.
        return try await BlockingWork.run { try model.open() }
    }

    private func fetch(
        _ pieces: [Int], of model: FetchedModel, _ assignment: StageAssignment,
        _ report: @escaping @Sendable (LoadProgress) -> Void
    ) async throws {
        let missing = try await BlockingWork.run {
            let missing = try model.missing(pieces)
            if !missing.isEmpty { try model.reserve(missing) }
            return missing
        }
        guard !missing.isEmpty else { return }
        let total = byteCount(pieces, of: model)
        let presentByteCount = total - byteCount(missing, of: model)
        let progress: @Sendable (Int) -> Void = {
            report(LoadProgress(activity: .fetching, doneByteCount: presentByteCount + $0, totalByteCount: total))
        }
        progress(0)
        let began = ContinuousClock.now
        let fetch = WeightFetch(
            missing, of: model, from: sources(assignment), transport: transport, logger: logger)
        let result: String
        do {
            result = try await fetch.run(progress: progress)
        } catch {
            try? await BlockingWork.run { try model.synchronize() }
            throw error
        }
        try await BlockingWork.run { try model.synchronize() }
        let seconds = max((ContinuousClock.now - began) / .seconds(1), 1e-6)
        let megabytes = Double(total - presentByteCount) / 1e6
        logger.notice(
            "Fetched weights",
            metadata: [
                "layers": "\(assignment.layers)", "from": "\(result)", "megabytes": "\(Int(megabytes))",
                "present_megabytes": "\(presentByteCount / 1_000_000)",
                "model_megabytes": "\(model.manifest.byteCount / 1_000_000)",
                "milliseconds": "\(Int(seconds * 1000))", "megabytes_per_second": "\(Int(megabytes / seconds))",
            ])
    }

    private func byteCount(_ pieces: [Int], of model: FetchedModel) -> Int {
        pieces.reduce(0) { $0 + model.manifest.pieces[$1].byteCount }
    }

    private func sources(_ assignment: StageAssignment) -> [WeightFetch.Source] {
        [
            WeightFetch.Source(
                name: "the coordinator", host: configuration.coordinatorHost, port: configuration.coordinatorPort,
                expected: .coordinator)
        ]
            + assignment.peers.prefix(Self.peerLimit).map {
                WeightFetch.Source(
                    name: "\($0.node)", host: $0.host, port: $0.port, expected: .worker($0.node.rawValue))
            }
    }

    /// Each costs memory for the pieces on their way.
    private static let peerLimit = 4
}
