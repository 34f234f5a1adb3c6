internal import NIOCore

/// One half of an in-process pair: what is written here is received by the other half's connection, a little later.
final class LocalLink: ByteLink {
    /// As with a socket: beyond this much under way, nothing more should be written.
    private static let limitByteCount = 1 << 20

    private let loop: any EventLoop
    /// Links and connections hold each other until they are closed.
    private var connection: Connection?
    private var other: LocalLink?
    private var byteCountUnderWay = 0

    private init(_ connection: Connection, loop: any EventLoop) {
        self.connection = connection
        self.loop = loop
    }

    /// Joins two connections of the same event loop and starts both.
    static func join(_ one: Connection, _ two: Connection, loop: any EventLoop) {
        let first = LocalLink(one, loop: loop)
        let second = LocalLink(two, loop: loop)
        first.other = second
        second.other = first
        one.start(first)
        two.start(second)
    }

    var isWritable: Bool { byteCountUnderWay < Self.limitByteCount }

    func write(_ bytes: [UInt8]) {
        guard other != nil else { return }
        byteCountUnderWay += bytes.count
        loop.assumeIsolated().execute { [self] in
            // Sound because the span of an array of bytes is read as bytes.
            unsafe other?.connection?.receive(bytes.span.bytes)
            let wasWritable = isWritable
            byteCountUnderWay -= bytes.count
            if !wasWritable, isWritable { connection?.linkWritable() }
        }
    }

    func flush() {}

    func close() {
        connection = nil
        loop.assumeIsolated().execute { [self] in
            let peer = other
            other = nil
            guard let peer, let connection = peer.connection else { return }
            peer.connection = nil
            peer.other = nil
            connection.linkClosed("the other side closed it")
        }
    }
}
