/// What carries a connection's bytes: a socket, or the other half of an in-process pair. Confined to its event loop.
protocol ByteLink: AnyObject {
    /// Whether more bytes should be written now; the owner is told when this turns true.
    var isWritable: Bool { get }

    func write(_ bytes: [UInt8])

    /// Sends what was written.
    func flush()

    /// Closes after what was written. The owner's `linkClosed` follows.
    func close()
}
