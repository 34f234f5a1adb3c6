import CoordinatorClient
import Inference
import Transport
import Trust
import Wire

/// Fetches the pages of a stage's layers from the workers that hold them in the epoch before.
struct PageTransfer: Sendable {
    let transport: any RPCTransport
    /// The epoch before.
    let epoch: Epoch
    let sources: [PageSource]
    /// Bytes of one layer in one page.
    let byteCount: Int
    let pageCount: Int
    /// Takes a layer's part of a page.
    let store: @Sendable (PageID, Int, [UInt8]) async -> Void

    private static let connectTimeout = Duration.seconds(5)
    /// For all pages of a source: at 10 MB/s still 36 GB.
    private static let timeout = Duration.seconds(3600)

    /// Fetches what was written since the clocks of an earlier call, one for each source; returns the new ones.
    ///
    /// Throws when a source cannot be reached or sends what it was not asked for.
    func fetch(since clocks: [UInt64]) async throws -> [UInt64] {
        var now: [UInt64] = []
        for (index, source) in sources.enumerated() {
            now.append(try await fetch(source, since: index < clocks.count ? clocks[index] : 0))
        }
        return now
    }

    private func fetch(_ source: PageSource, since: UInt64) async throws -> UInt64 {
        let address = source.address
        let connection = try await transport.connect(
            host: address.host, port: address.port, timeout: Self.connectTimeout,
            expecting: .worker(address.node.rawValue))
        do {
            let stream = try await connection.call(Services.pages, timeout: Self.timeout)
            try await stream.send(PagesRequest(epoch: epoch, layers: source.layers, since: since).wireBytes())
            try await stream.finish()
            var clock: UInt64?
            for try await bytes in stream.messages {
                let message = try PageMessage(wireBytes: bytes, byteCount: byteCount)
                guard clock == nil else { throw WireError("Page", "came after the last one") }
                if message.isLast {
                    clock = message.clock
                    continue
                }
                guard source.layers.contains(message.layer), Int(message.page.rawValue) < pageCount else {
                    throw WireError("Page", "is \(message.page) of layer \(message.layer), which was not asked for")
                }
                await store(message.page, message.layer, message.bytes)
            }
            await connection.close()
            guard let clock else { throw WireError("Page", "the pages of \(address) ended too early") }
            return clock
        } catch {
            await connection.close()
            throw error
        }
    }

    /// The other side: answers with the pages that a stage wrote.
    static func serve(_ request: PagesRequest, of host: StageHost, to stream: any RPCStream) async throws {
        guard let (clock, pages) = await host.writtenPages(request.layers, since: request.since) else {
            throw RPCError(
                .failedPrecondition, "the stage of \(request.epoch) has no pages of layers \(request.layers)")
        }
        for page in pages {
            // All layers at once: a stage that computes is asked as seldom as can be.
            for (layer, bytes) in await host.contents(of: page, request.layers) {
                try await stream.send(PageMessage(clock: clock, page: page, layer: layer, bytes: bytes).wireBytes())
            }
        }
        try await stream.send(PageMessage(endAt: clock).wireBytes())
    }
}
