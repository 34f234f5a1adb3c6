import Hummingbird
import NIOCore
import Synchronization

/// Server-sent events to one client (https://html.spec.whatwg.org/multipage/server-sent-events.html).
///
/// Writing waits until the client has taken enough of what was written before, so the gateway holds at most the
/// channel's own buffer for it.
struct EventStream: ~Copyable {
    private var writer: any ResponseBodyWriter
    private let pace: WritePace

    init(_ writer: any ResponseBodyWriter, pace: WritePace) {
        self.writer = writer
        self.pace = pace
    }

    /// `data: {...}`
    mutating func send(_ value: JSONValue) async throws {
        var bytes = Array("data: ".utf8)
        value.write(to: &bytes)
        bytes.append(contentsOf: "\n\n".utf8)
        try await write(bytes)
    }

    /// The end that OpenAI's clients wait for.
    mutating func sendDone() async throws { try await write(Array("data: [DONE]\n\n".utf8)) }

    /// Something that clients skip, so that neither they nor proxies give the connection up.
    mutating func sendKeepAlive() async throws { try await write(Array(": keep-alive\n\n".utf8)) }

    consuming func finish() async throws { try await writer.finish(nil) }

    private mutating func write(_ bytes: [UInt8]) async throws {
        pace.begin()
        defer { pace.end() }
        do {
            try await writer.write(ByteBuffer(bytes: bytes))
        } catch let error as CancellationError {
            throw error
        } catch {
            throw ClientGone()
        }
    }
}

/// When a stream last wrote, and whether it waits for its client.
final class WritePace: Sendable {
    private struct State {
        var last: ContinuousClock.Instant
        var isWriting = false
    }

    private let state = Mutex(State(last: .now))

    func begin() {
        state.withLock { state in
            state.last = .now
            state.isWriting = true
        }
    }

    func end() {
        state.withLock { state in
            state.last = .now
            state.isWriting = false
        }
    }

    /// How long nothing has been written.
    var silence: Duration { state.withLock { .now - $0.last } }

    /// How long the client has taken nothing of what is being written; nil when nothing waits.
    var stall: Duration? { state.withLock { $0.isWriting ? .now - $0.last : nil } }
}
