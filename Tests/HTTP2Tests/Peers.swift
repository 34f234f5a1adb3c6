import HTTP2

/// A client and a server session, joined by hand.
final class Peers {
    let client: HTTP2Session
    let server: HTTP2Session
    /// What each side has seen so far.
    private(set) var atClient: [HTTP2Event] = []
    private(set) var atServer: [HTTP2Event] = []
    /// The bytes that each side has sent, for replay.
    private(set) var fromClient: [UInt8] = []
    private(set) var fromServer: [UInt8] = []
    var nowNanoseconds: UInt64 = 1

    init(client: HTTP2Limits = HTTP2Limits(), server: HTTP2Limits = HTTP2Limits()) throws {
        self.client = try HTTP2Session(role: .client, limits: client)
        self.server = try HTTP2Session(role: .server, limits: server)
    }

    /// Carries bytes both ways until neither side has any.
    func exchange() throws {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let bytes = try client.takeOutput(limitByteCount: 1 << 16) {
                isQuiet = false
                fromClient += bytes
                try server.receive(bytes)
                nowNanoseconds += 1
            }
            while let bytes = try server.takeOutput(limitByteCount: 1 << 16) {
                isQuiet = false
                fromServer += bytes
                try client.receive(bytes)
            }
            atClient += client.takeEvents()
            atServer += server.takeEvents()
        }
    }

    /// The events since the last call.
    func take() -> (client: [HTTP2Event], server: [HTTP2Event]) {
        defer { (atClient, atServer) = ([], []) }
        return (atClient, atServer)
    }

    static let request = [
        HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"), HTTP2Header(":path", "/a.B/C"),
        HTTP2Header(":authority", "here"), HTTP2Header("te", "trailers"),
    ]
    static let response = [HTTP2Header(":status", "200")]
}

extension HTTP2Session {
    /// Receives at a time that never refills a budget.
    func receive(_ bytes: [UInt8]) throws {
        // Sound because the span of an array of bytes is read as bytes.
        try unsafe receive(bytes.span.bytes, nowNanoseconds: 1)
    }
}
