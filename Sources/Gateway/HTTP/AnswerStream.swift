import Hummingbird
import NIOCore

/// How the events of a streamed answer lie in the body.
enum StreamFraming: Hashable, Sendable {
    /// Server-sent events that end with `[DONE]`, as OpenAI's completions have it.
    case events
    /// Server-sent events named for the member `type` of their payload.
    case namedEvents
    /// One JSON object a line.
    case lines

    var contentType: String {
        switch self {
        case .events, .namedEvents: "text/event-stream; charset=utf-8"
        case .lines: "application/x-ndjson"
        }
    }

    /// The bytes of one event.
    func encode(_ value: JSONValue) -> [UInt8] {
        var bytes: [UInt8] = []
        if self == .namedEvents, case .object(let object) = value, case .string(let name)? = object["type"] {
            bytes.append(contentsOf: "event: \(name)\n".utf8)
        }
        if self != .lines { bytes.append(contentsOf: "data: ".utf8) }
        value.write(to: &bytes)
        bytes.append(contentsOf: (self == .lines ? "\n" : "\n\n").utf8)
        return bytes
    }
}

/// The events of an answer on their way to one client: server-sent events
/// (https://html.spec.whatwg.org/multipage/server-sent-events.html) or lines.
///
/// Writing waits until the client has taken enough of what was written before, so the gateway holds at most the
/// channel's own buffer for it.
struct AnswerStream: ~Copyable {
    private var writer: any ResponseBodyWriter
    private let framing: StreamFraming
    private let pace: WritePace

    init(_ writer: any ResponseBodyWriter, framing: StreamFraming, pace: WritePace) {
        self.writer = writer
        self.framing = framing
        self.pace = pace
    }

    mutating func send(_ value: JSONValue) async throws { try await write(framing.encode(value)) }

    /// The end that OpenAI's clients wait for; other framings have none.
    mutating func sendDone() async throws {
        if framing == .events { try await write(Array("data: [DONE]\n\n".utf8)) }
    }

    /// Something that clients skip, so that neither they nor proxies give the connection up.
    mutating func sendComment() async throws {
        if framing != .lines { try await write(Array(": keep-alive\n\n".utf8)) }
    }

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
