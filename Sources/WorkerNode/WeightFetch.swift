import Checkpoint
import CoordinatorClient
import Host
import Inference
import Logging
import Synchronization
import Transport
import Trust
import Wire

/// Fetches pieces of a checkpoint from several nodes at once, each over a connection of its own.
///
/// What arrives is checked before it is kept. A node that gives wrong bytes is named and not asked again; one that vanishes is
/// tried again after growing pauses, while the others go on.
final class WeightFetch: Sendable {
    /// A node that may have the weights.
    struct Source: Sendable {
        let name: String
        let host: String
        let port: Int
        let expected: ExpectedNode

        var text: String { "\(name) at \(host):\(port)" }
    }

    private let model: FetchedModel
    private let pieces: [Int]
    private let sources: [Source]
    private let transport: any RPCTransport
    private let logger: Logger
    private let queue: Mutex<FetchQueue>
    private let byteCounts: Mutex<[Int]>

    /// Pieces on the way from a source at once: one is checked and written while the next one comes.
    private static let laneCount = 2
    private static let connectTimeout = Duration.seconds(5)
    /// For a piece; a link that needs longer for 8 MiB cannot carry a model.
    private static let readTimeout = Duration.seconds(120)
    private static let firstPause = Duration.milliseconds(200)
    private static let longestPause = Duration.seconds(5)
    /// Attempts in a row that bring nothing.
    private static let attemptLimit = 6
    private static let waitPause = Duration.milliseconds(20)

    init(
        _ pieces: [Int], of model: FetchedModel, from sources: [Source], transport: any RPCTransport, logger: Logger
    ) {
        self.model = model
        self.pieces = pieces
        self.sources = sources
        self.transport = transport
        self.logger = logger
        queue = Mutex(FetchQueue(pieces: pieces, sourceCount: sources.count))
        byteCounts = Mutex(Array(repeating: 0, count: sources.count))
    }

    /// Returns when all pieces are here; what is here stays when this throws.
    ///
    /// - Parameter progress: called with the number of bytes that came, again and again.
    /// - Returns: how much came from whom, for the log.
    /// - Throws: `WorkerError` naming what is wrong with every source, or `HostError` when there is no room.
    func run(progress: @escaping @Sendable (_ byteCount: Int) -> Void) async throws -> String {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for source in sources.indices {
                group.addTask { try await self.draw(from: source, progress) }
            }
            try await group.waitForAll()
        }
        guard queue.withLock({ $0.isDone }) else { throw WorkerError(failure) }
        let counts = byteCounts.withLock { $0 }
        return zip(sources, counts).filter { $1 > 0 }.map { "\($0.name): \($1 / 1_000_000) MB" }
            .joined(separator: ", ")
    }

    private var failure: String {
        let problems = sources.indices.map { index in
            "\(sources[index].text): \(queue.withLock { $0.problem(of: index) } ?? "it does not have all of the weights")"
        }
        return "the weights cannot be fetched (\(problems.joined(separator: "; "))); what came is kept, and the next "
            + "attempt goes on from there; or copy the model to this machine and name it with --model"
    }

    private func draw(from index: Int, _ progress: @escaping @Sendable (Int) -> Void) async throws {
        let source = sources[index]
        var pause = Self.firstPause
        var attempt = 0
        while queue.withLock({ $0.isOpen(index) }) {
            let before = byteCounts.withLock { $0[index] }
            do {
                let connection = try await transport.connect(
                    host: source.host, port: source.port, timeout: Self.connectTimeout, expecting: source.expected)
                do {
                    try await runLanes(connection, index, progress)
                    await connection.close()
                } catch {
                    await connection.close()
                    throw error
                }
            } catch let error as HostError {
                // It cannot be written here, whoever gives it.
                throw error
            } catch {
                try Task.checkCancellation()
                if byteCounts.withLock({ $0[index] }) > before { (attempt, pause) = (0, Self.firstPause) }
                attempt += 1
                guard attempt < Self.attemptLimit else {
                    give(up: index, "\(error)")
                    return
                }
                logger.debug("A source of weights broke", metadata: ["source": "\(source.text)", "error": "\(error)"])
                try await Task.sleep(for: pause)
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    private func give(up index: Int, _ problem: String) {
        logger.warning(
            "Fetching no more weights from a node",
            metadata: ["source": "\(sources[index].text)", "reason": "\(problem)"])
        queue.withLock { $0.close(index, problem) }
    }

    private func runLanes(
        _ connection: any RPCConnection, _ index: Int, _ progress: @escaping @Sendable (Int) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.laneCount {
                group.addTask { try await self.runLane(connection, index, progress) }
            }
            try await group.waitForAll()
        }
    }

    private func runLane(
        _ connection: any RPCConnection, _ index: Int, _ progress: @Sendable (Int) -> Void
    ) async throws {
        while true {
            switch queue.withLock({ $0.next(for: index) }) {
            case .over: return
            case .wait: try await Task.sleep(for: Self.waitPause)
            case .piece(let piece):
                do {
                    try await fetch(piece, connection, index, progress)
                } catch let error as RPCError where error.code == .notFound {
                    queue.withLock { $0.lacks(piece, index) }
                } catch let error as RPCError where Self.isFinal(error) {
                    queue.withLock { $0.giveBack(piece) }
                    give(up: index, "\(error)")
                } catch {
                    queue.withLock { $0.giveBack(piece) }
                    throw error
                }
            }
        }
    }

    /// Whether asking again would bring the same answer.
    private static func isFinal(_ error: RPCError) -> Bool {
        switch error.code {
        case .unimplemented, .permissionDenied, .unauthenticated, .invalidArgument: true
        default: false
        }
    }

    private func fetch(
        _ piece: Int, _ connection: any RPCConnection, _ index: Int, _ progress: @Sendable (Int) -> Void
    ) async throws {
        let place = model.manifest.pieces[piece]
        let request = ReadRequest(
            fingerprint: model.manifest.fingerprint, file: place.file,
            fileByteCount: model.manifest.files[place.file].byteCount, range: place.range)
        let bytes = try await WeightsService.read(request, from: connection, timeout: Self.readTimeout)
        let model = model
        let isRight = try await BlockingWork.run { try model.store(bytes, as: piece) }
        guard isRight else {
            let file = model.manifest.files[place.file].name
            queue.withLock { $0.giveBack(piece) }
            give(up: index, "it gave wrong bytes for \(file) at \(place.offset): their SHA-256 is not the manifest's")
            return
        }
        queue.withLock { $0.delivered(by: index) }
        byteCounts.withLock { $0[index] += bytes.count }
        progress(byteCounts.withLock { $0.reduce(0, +) })
    }
}
