import ArgumentParser
import CoordinatorNode
import Inference

/// How keys and values are stored, as the command line names it.
enum KVChoice: String, ExpressibleByArgument, CaseIterable {
    case f16, f32
    case q8x0 = "q8_0"

    var type: KVType {
        switch self {
        case .f16: .f16
        case .f32: .f32
        case .q8x0: .q8x0
        }
    }
}

/// When LongRoPE's long factors are used.
enum RopeChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, long
}

/// What is served and how.
struct ModelOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A GGUF file, a Hugging Face directory, or \"demo\".")
    var model: String

    @Option(help: "The name that clients use for the model (default: the file's name).")
    var modelAlias: String?

    @Option(
        name: [.customShort("c"), .long],
        help: "The most tokens, prompt and answer together (default: as trained, at most 16384).")
    var ctxSize: Int?

    @Option(help: "How keys and values are stored; q8_0 takes about half the memory of f16.")
    var kvType: KVChoice = .f16

    @Option(help: "The most prompt tokens per step.")
    var chunkSize: Int = 256

    @Option(
        help: """
            The most prompt tokens per step while other requests decode (default: a quarter of --chunk-size); fewer where \
            so many would make the others wait four times as long for a token.
            """)
    var pacedChunkSize: Int?

    @Option(help: "Requests (choices, with n > 1) that a pipeline computes at the same time.")
    var maxRunning = CoordinatorConfiguration.defaultRunningSequenceLimit

    @Option(help: "Requests that may wait; beyond it a client that has one waiting gets 429 with Retry-After.")
    var maxQueue: Int = 256

    @Option(
        help: """
            Memory for keys and values of all workers together, such as 8GiB (default: what --memory leaves beside the \
            weights). At least one context must fit; the rest serves more requests at once and keeps prefixes.
            """)
    var kvMemory: ByteCountArgument?

    @Option(help: "Layers per worker of a pipeline, such as 3,1,2 (default: by memory and speed).")
    var split: IntegerListArgument?

    @Option(
        help: """
            Pipelines that each hold the whole model and share the requests (default: as many as are forecast to give \
            more tokens per second, where workers of one machine stay together; later workers form further ones as soon as \
            they can hold the model). 1 forbids more than one; other workers are spares.
            """)
    var replicas: Int?

    @Option(help: "Seconds without a word after which a worker is lost, at the latest; 1 to 3600.")
    var silenceLimit = 4.5

    @Option(
        help: """
            Seconds in which no worker of a pipeline computes although steps wait, after which one is taken for hung or cut \
            off; 1 to 3600. Raise it where a layer takes longer for --chunk-size rows, or their way over the network.
            """)
    var progressLimit = 4.0

    @Option(help: "LongRoPE factors: auto chooses per sequence as the reference does, long uses the long ones always.")
    var rope: RopeChoice = .auto

    mutating func validate() throws {
        if let ctxSize, ctxSize < 1 { throw ValidationError("--ctx-size must be at least 1.") }
        if chunkSize < 1 || chunkSize > 4096 { throw ValidationError("--chunk-size must be between 1 and 4096.") }
        if let pacedChunkSize, pacedChunkSize < 1 || pacedChunkSize > chunkSize {
            throw ValidationError("--paced-chunk-size must be between 1 and --chunk-size (\(chunkSize)).")
        }
        if maxRunning < 1 || maxRunning > 4096 { throw ValidationError("--max-running must be between 1 and 4096.") }
        if maxQueue < 0 || maxQueue > 1_000_000 {
            throw ValidationError("--max-queue must be between 0 and 1000000.")
        }
        if let split, split.values.isEmpty || split.values.contains(where: { $0 < 1 }) {
            throw ValidationError("--split takes the number of layers of each worker, such as 3,1,2.")
        }
        if let replicas, !(1...1024).contains(replicas) {
            throw ValidationError("--replicas must be between 1 and 1024.")
        }
        for (name, seconds) in [("silence", silenceLimit), ("progress", progressLimit)]
        where !(1...3600).contains(seconds) {
            throw ValidationError("--\(name)-limit must be between 1 and 3600 seconds.")
        }
        if let modelAlias, modelAlias.isEmpty { throw ValidationError("--model-alias must not be empty.") }
    }

    /// Throws unless an explicit split has a part for each worker, of every pipeline.
    func checkSplit(workerCount: Int) throws {
        guard let split, split.values.count * (replicas ?? 1) != workerCount else { return }
        let pipelines = replicas.map { $0 == 1 ? "" : " in each of \($0) pipelines" } ?? ""
        throw ValidationError(
            "--split \(split.values.map(String.init).joined(separator: ",")) is for \(split.values.count) workers"
                + "\(pipelines), but --workers says \(workerCount).")
    }

    /// Throws when there are more workers than layers for them.
    func checkWorkers(_ workerCount: Int, layerCount: Int) throws {
        let most = layerCount * (replicas ?? 1)
        guard workerCount > most else { return }
        throw CommandError(
            "--workers \(workerCount) is more than the model's \(layerCount) layers"
                + "\((replicas ?? 1) > 1 ? " in \(replicas ?? 1) pipelines" : ""); use at most \(most)")
    }

    func coordinatorConfiguration(host: String, port: Int, workerCount: Int) throws -> CoordinatorConfiguration {
        CoordinatorConfiguration(
            modelPath: try DemoModel.resolve(model), modelAlias: modelAlias ?? DemoModel.alias(for: model),
            contextLength: ctxSize, kvType: kvType.type, chunkRowCount: chunkSize,
            pacedChunkRowCount: pacedChunkSize, runningSequenceLimit: maxRunning,
            kvMemoryByteCount: kvMemory?.byteCount, split: split?.values, replicaCount: replicas,
            forcesLongRope: rope == .long, bindHost: host, bindPort: port, minimumWorkerCount: workerCount,
            waitingRequestLimit: maxQueue, silenceMilliseconds: Int(silenceLimit * 1000),
            progressMilliseconds: Int(progressLimit * 1000))
    }
}
