import AsyncHTTPClient
import Foundation
import NIOCore

/// A stream of server-sent events as OpenAI's API uses it: a line "data: " with JSON for each, and "data: [DONE]" at the
/// end.
struct ServerEvents {
    /// The longest line that is believed.
    private static let lineLimit = 1 << 20
    private static let prefix = Array("data: ".utf8)

    let body: HTTPClientResponse.Body
    /// The server, for errors.
    let address: String

    /// Hands out the JSON of each event as it comes; comments and empty lines are left out.
    ///
    /// - Throws: `CommandError` when the stream ends without its end mark.
    func forEach(_ receive: (Data) throws -> Void) async throws {
        var isDone = false
        var line: [UInt8] = []
        for try await part in body {
            for byte in part.readableBytesView {
                guard byte == UInt8(ascii: "\n") else {
                    guard line.count < Self.lineLimit else {
                        throw CommandError(
                            "the server at \(address) sent an event of more than \(Self.lineLimit) bytes")
                    }
                    line.append(byte)
                    continue
                }
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                if line.starts(with: Self.prefix) {
                    let payload = Data(line.dropFirst(Self.prefix.count))
                    if payload == Data("[DONE]".utf8) { isDone = true } else { try receive(payload) }
                }
                line.removeAll(keepingCapacity: true)
            }
        }
        guard isDone else { throw CommandError("the server at \(address) ended an answer before it was complete") }
    }
}
