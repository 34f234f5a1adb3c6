import Checkpoint
import CoordinatorClient
import Host
import Logging
import Synchronization
import Transport
import Wire

/// Gives workers that lack the checkpoint what they need of it.
///
/// The weights are hashed when the first such worker asks, in the background and once for each state of the files.
final class WeightsDesk: Sendable {
    private enum Manifest {
        case unmade
        case hashing(doneByteCount: Int, totalByteCount: Int)
        case ready([UInt8])
        case failed(String)
    }

    private let modelPath: String
    private let fingerprint: String
    private let cacheDirectory: String?
    private let logger: Logger
    private let manifest = Mutex(Manifest.unmade)
    private let files = Mutex<WholeWeightFiles?>(nil)

    init(modelPath: String, fingerprint: String, cacheDirectory: String?, logger: Logger) {
        self.modelPath = modelPath
        self.fingerprint = fingerprint
        self.cacheDirectory = cacheDirectory
        self.logger = logger
    }

    var handlers: [RPCMethod: RPCHandler] {
        [
            Services.manifest: WeightsService.manifestHandler { try self.state(of: $0) },
            Services.readWeights: WeightsService.readHandler { request in
                guard request.fingerprint == self.fingerprint else { return nil }
                do {
                    return try await BlockingWork.run { try self.read(request) }
                } catch {
                    throw RPCError(.unavailable, "the coordinator cannot read its checkpoint: \(error)")
                }
            },
        ]
    }

    private func read(_ request: ReadRequest) throws -> [UInt8]? {
        let files = try files.withLock { files in
            let opened = try files ?? WholeWeightFiles(Checkpoint.open(modelPath))
            files = opened
            return opened
        }
        return try files.read(file: request.file, fileByteCount: request.fileByteCount, range: request.range)
    }

    private func state(of wanted: String) throws -> ManifestState {
        guard wanted == fingerprint else {
            throw RPCError(.notFound, "the coordinator serves another model (\(fingerprint.prefix(16)))")
        }
        return try manifest.withLock { manifest in
            switch manifest {
            case .unmade:
                manifest = .hashing(doneByteCount: 0, totalByteCount: 0)
                BackgroundThread.start("hashing") { self.make() }
                return .hashing(doneByteCount: 0, totalByteCount: 0)
            case .hashing(let done, let total): return .hashing(doneByteCount: done, totalByteCount: total)
            case .ready(let encoded): return .ready(encoded)
            case .failed(let problem):
                // The next one who asks has it tried again.
                manifest = .unmade
                throw RPCError(.unavailable, "the coordinator cannot hash its checkpoint: \(problem)")
            }
        }
    }

    private func make() {
        let began = ContinuousClock.now
        do {
            let checkpoint = try Checkpoint.open(modelPath)
            guard try checkpoint.fingerprint(rememberedIn: cacheDirectory) == fingerprint else {
                throw CoordinatorError("\(modelPath) was replaced; restart the coordinator to serve what it is now")
            }
            let encoded = try checkpoint.weightManifest(fingerprint: fingerprint, rememberedIn: cacheDirectory) {
                done, total in
                manifest.withLock { $0 = .hashing(doneByteCount: done, totalByteCount: total) }
            }
            manifest.withLock { $0 = .ready(encoded) }
            logger.notice(
                "Hashed the model for workers that lack it",
                metadata: [
                    "megabytes": "\(checkpoint.weightByteCount / 1_000_000)",
                    "milliseconds": "\(Int((ContinuousClock.now - began) / .milliseconds(1)))",
                ])
        } catch {
            logger.error("Cannot hash the model for workers that lack it", metadata: ["error": "\(error)"])
            manifest.withLock { $0 = .failed("\(error)") }
        }
    }
}
