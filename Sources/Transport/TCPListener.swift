internal import NIOCore

/// A listening socket and the connections that came through it.
final class TCPListener: RPCListener {
    let host: String
    let port: Int
    private let channel: any Channel
    private let registry: ConnectionRegistry

    init(host: String, port: Int, channel: any Channel, registry: ConnectionRegistry) {
        self.host = host
        self.port = port
        self.channel = channel
        self.registry = registry
    }

    deinit { channel.close(promise: nil) }

    func shutdown(grace: Duration) async {
        // An error here means that the socket is closed already.
        try? await channel.close().get()
        await registry.shutdown(
            grace: grace, reason: RPCError(.unavailable, "the node at \(host):\(port) is shutting down"))
    }
}
