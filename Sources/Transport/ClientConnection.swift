internal import NIOCore

/// A connection as the application sees it. State is the event loop's. Forgetting it closes it when its calls end.
final class ClientConnection: RPCConnection {
    let peer: String
    private let connection: NIOLoopBound<Connection>

    /// Must be made on the connection's event loop.
    init(_ connection: Connection) {
        peer = connection.peer
        self.connection = NIOLoopBound(connection, eventLoop: connection.loop)
    }

    deinit {
        let connection = connection
        connection.eventLoop.execute {
            connection.value.drain(RPCError(.cancelled, "the connection was given up by this node"))
        }
    }

    /// Returns when the peer has shown that it speaks HTTP/2.
    func waitUntilReady() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                connection.eventLoop.execute { self.connection.value.whenReady(waiter) }
            }
        } onCancel: {
            let connection = connection
            connection.eventLoop.execute {
                connection.value.close(RPCError(.cancelled, "connecting to \(connection.value.peer) was cancelled"))
            }
        }
    }

    func call(_ method: RPCMethod, timeout: Duration?) async throws -> any RPCStream {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<any RPCStream, any Error>) in
            connection.eventLoop.execute {
                do throws(RPCError) {
                    continuation.resume(returning: Call(try self.connection.value.open(method, timeout: timeout)))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    func waitUntilClosed() async -> RPCError {
        let (cancelled, canceller) = AsyncStream<Void>.makeStream()
        defer { canceller.finish() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                connection.eventLoop.execute {
                    guard let number = self.connection.value.whenClosed(waiter) else { return }
                    let connection = self.connection
                    Task {
                        for await _ in cancelled {
                            connection.eventLoop.execute { connection.value.stopWaiting(number) }
                        }
                    }
                }
            }
        } onCancel: {
            canceller.yield()
        }
    }

    func close() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            connection.eventLoop.execute {
                let connection = self.connection.value
                connection.leave(
                    RPCError(.unavailable, "the connection with \(connection.peer) was closed by this node"))
                done.resume()
            }
        }
    }
}
