import CoordinatorClient
import Inference
import Logging
import Transport
import Trust

/// The way from this stage to the next: one stream of activations that mends itself.
///
/// At most `keptCount` steps are in flight in an epoch, so the link keeps that many of the latest activations and
/// sends them again after a broken connection; the next stage ignores what it has already run.
actor ForwardLink {
    private let transport: any RPCTransport
    private let next: NodeAddress
    private let keptCount: Int
    private let logger: Logger
    /// Called once, when the next stage cannot be reached for `patience`, or the link breaks or damages frames again and
    /// again.
    private let onFailure: @Sendable (String) -> Void

    private var connection: (any RPCConnection)?
    private var stream: (any RPCStream)?
    /// Rises with every connection, so that news of an old one is recognised.
    private var generation = 0
    private var isClosed = false
    private var isMending = false
    private var isSending = false
    /// The latest activations and the number of all that were ever dropped from the front.
    private var kept: [[UInt8]] = []
    private var droppedCount = 0
    private var sentCount = 0

    /// When the link broke, within the last `patience`.
    private var breaks: [ContinuousClock.Instant] = []
    /// When an activation arrived damaged, within the last `damagePeriod`.
    private var damages: [ContinuousClock.Instant] = []
    private var lastSent = ContinuousClock.now

    /// A link that breaks more often within `patience` is not mended again.
    private static let breakLimit = 5
    private static let connectTimeout = Duration.seconds(2)
    private static let patience = Duration.seconds(10)
    private static let pause = Duration.milliseconds(100)
    /// So many damaged frames within the period are more than chance.
    private static let damageLimit = 3
    private static let damagePeriod = Duration.seconds(60)
    /// While nothing is sent the next stage is asked for a sign of life so often, and has so long to answer.
    private static let probePause = Duration.seconds(1)
    private static let probeTimeout = Duration.seconds(3)

    init(
        transport: any RPCTransport, next: NodeAddress, keptCount: Int, logger: Logger,
        onFailure: @escaping @Sendable (String) -> Void
    ) {
        self.transport = transport
        self.next = next
        self.keptCount = keptCount
        self.logger = logger
        self.onFailure = onFailure
    }

    var isUp: Bool { stream != nil }

    /// Dials the next stage, asks for its health and opens the stream of activations.
    func open() async throws {
        try await connect()
    }

    /// Sends an activation, in order, now or as soon as the connection is mended.
    func send(_ message: [UInt8]) async {
        kept.append(message)
        if kept.count > keptCount {
            kept.removeFirst()
            droppedCount += 1
        }
        await sendPending()
    }

    func close() async {
        isClosed = true
        stream?.cancel(RPCError(.cancelled, "the stage has a new assignment"))
        stream = nil
        await connection?.close()
        connection = nil
    }

    private func sendPending() async {
        guard !isSending else { return }
        isSending = true
        defer { isSending = false }
        while let stream, sentCount < droppedCount + kept.count {
            sentCount = max(sentCount, droppedCount)
            let message = kept[sentCount - droppedCount]
            let current = generation
            do {
                try await stream.send(message)
                lastSent = .now
                if current == generation { sentCount += 1 }
            } catch {
                // While it is mended there is no stream; if it is mended already, all that is kept goes again.
                mend(after: error, generation: current)
            }
        }
    }

    private func connect() async throws {
        let connection = try await transport.connect(
            host: next.host, port: next.port, timeout: Self.connectTimeout, expecting: .worker(next.node.rawValue))
        do {
            try await HealthService.check(connection, timeout: Self.connectTimeout)
            let stream = try await connection.call(Services.forward, timeout: nil)
            guard !isClosed else {
                await connection.close()
                return
            }
            self.connection = connection
            self.stream = stream
            generation += 1
            sentCount = droppedCount
            watch(stream, generation: generation)
            probe(connection, generation: generation)
        } catch {
            await connection.close()
            throw error
        }
    }

    /// The next stage answers only when something is wrong, or when the stream ends.
    private func watch(_ stream: any RPCStream, generation: Int) {
        Task {
            do {
                for try await _ in stream.messages {}
                self.mend(after: RPCError(.unavailable, "the stream was ended"), generation: generation)
            } catch {
                self.mend(after: error, generation: generation)
            }
        }
    }

    /// Finds a cut while no step is under way; of one that is, the coordinator sees that it stands.
    private func probe(_ connection: any RPCConnection, generation: Int) {
        Task {
            while !self.isClosed, !self.isMending, generation == self.generation {
                try? await Task.sleep(for: Self.probePause)
                guard !self.isSending, self.lastSent.advanced(by: Self.probePause) < .now else { continue }
                do {
                    try await HealthService.check(connection, timeout: Self.probeTimeout)
                } catch {
                    self.mend(after: error, generation: generation)
                }
            }
        }
    }

    private func mend(after error: any Error, generation: Int) {
        guard !isClosed, !isMending, generation == self.generation else { return }
        isMending = true
        stream = nil
        let now = ContinuousClock.now
        if (error as? RPCError)?.code == .dataLoss {
            damages = damages.filter { $0.advanced(by: Self.damagePeriod) > now } + [now]
        }
        guard damages.count < Self.damageLimit else {
            onFailure(
                "activations arrived damaged at the next stage, \(next), \(damages.count) times within \(Self.damagePeriod): "
                    + "the network between them or the memory of one of them is at fault (at last: \(error))")
            return
        }
        breaks = breaks.filter { $0.advanced(by: Self.patience) > now } + [now]
        guard breaks.count <= Self.breakLimit else {
            onFailure("the link to the next stage, \(next), broke \(breaks.count) times in a row, at last: \(error)")
            return
        }
        logger.warning("The link to the next stage broke", metadata: ["next": "\(next)", "error": "\(error)"])
        Task { await self.reconnect(firstError: error) }
    }

    private func reconnect(firstError: any Error) async {
        await connection?.close()
        connection = nil
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.patience)
        var lastError = firstError
        while !isClosed {
            do {
                try await connect()
                isMending = false
                logger.info("The link to the next stage is mended", metadata: ["next": "\(next)"])
                await sendPending()
                return
            } catch {
                lastError = error
            }
            guard clock.now < deadline else {
                onFailure("the next stage, \(next), cannot be reached: \(lastError)")
                return
            }
            try? await Task.sleep(for: Self.pause)
        }
    }
}
