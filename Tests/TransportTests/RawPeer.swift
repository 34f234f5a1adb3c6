import Dispatch
import Glibc
import HTTP2

/// The far end of a TCP connection, with nothing between the test and the bytes.
final class RawPeer: Sendable {
    struct Failure: Error { let what: String }

    private let descriptor: CInt

    private init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// Calls `body` with the address as the socket functions want it. Sound for the duration of `body`.
    private static func with(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
        }
    }

    /// Connects to a port of this machine.
    static func connect(port: Int) throws -> RawPeer {
        let peer = RawPeer(socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
        var address = loopback(port)
        guard unsafe with(&address, { unsafe Glibc.connect(peer.descriptor, $0, $1) }) == 0 else {
            throw Failure(what: "connect")
        }
        return peer
    }

    /// Listens on a free port of this machine.
    static func listen() throws -> (peer: RawPeer, port: Int) {
        let peer = RawPeer(socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
        var address = loopback(0)
        guard unsafe with(&address, { unsafe bind(peer.descriptor, $0, $1) }) == 0,
            Glibc.listen(peer.descriptor, 8) == 0
        else { throw Failure(what: "listen") }
        let named = unsafe with(&address) { pointer, size in
            var size = size
            return unsafe getsockname(peer.descriptor, pointer, &size)
        }
        guard named == 0 else { throw Failure(what: "getsockname") }
        return (peer, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Runs what blocks away from the threads that tasks run on.
    private func blocking<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { done in
            DispatchQueue.global().async { done.resume(returning: body()) }
        }
    }

    func accept() async throws -> RawPeer {
        let descriptor = self.descriptor
        let accepted = await blocking { Glibc.accept(descriptor, nil, nil) }
        guard accepted >= 0 else { throw Failure(what: "accept") }
        return RawPeer(accepted)
    }

    /// Writes all bytes; false when the other side is gone.
    @discardableResult
    func write(_ bytes: [UInt8]) async -> Bool {
        await blocking { [self] in
            var rest = bytes[...]
            while !rest.isEmpty {
                // Sound because the buffer is read for the duration of the call.
                let count = unsafe rest.withUnsafeBytes {
                    unsafe send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    /// The next bytes; empty when the other side has closed or reset the connection.
    func read() async -> [UInt8] {
        await blocking { [self] in
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            // Sound because the buffer is written within its bounds for the duration of the call.
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            return Array(bytes.prefix(max(0, count)))
        }
    }

    /// Reads until the other side closes; at most `limit` bytes are kept.
    func readToEnd(limit: Int = 1 << 20) async -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let bytes = await read()
            guard !bytes.isEmpty else { return all }
            if all.count < limit { all += bytes }
        }
    }

    func endWriting() { shutdown(descriptor, CInt(SHUT_WR)) }
}

/// A raw peer that speaks HTTP/2, but does with it what it likes.
final class RawHTTP2Peer {
    let socket: RawPeer
    let session: HTTP2Session
    private var events: [HTTP2Event] = []

    init(_ socket: RawPeer, role: HTTP2Session.Role) throws {
        self.socket = socket
        session = try HTTP2Session(role: role)
    }

    func flush() async throws {
        while let bytes = try session.takeOutput(limitByteCount: 1 << 20) { await socket.write(bytes) }
    }

    /// Reads and answers until `isWanted` finds an event, or the connection ends (nil).
    func event(_ isWanted: (HTTP2Event) -> Bool) async throws -> HTTP2Event? {
        while true {
            try await flush()
            if let index = events.firstIndex(where: isWanted) { return events.remove(at: index) }
            let bytes = await socket.read()
            guard !bytes.isEmpty else { return nil }
            // Sound because the span of an array of bytes is read as bytes.
            try unsafe session.receive(bytes.span.bytes, nowNanoseconds: 1)
            events += session.takeEvents()
        }
    }

    /// The fields of the next header block.
    func headers() async throws -> [HTTP2Header]? {
        guard case .headers(_, let fields, _) = try await event({ if case .headers = $0 { true } else { false } })
        else { return nil }
        return fields
    }
}
