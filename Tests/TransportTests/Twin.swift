import Logging
import Testing
import Transport

/// The two transports that must behave alike.
enum Twin: CaseIterable, CustomTestStringConvertible {
    case tcp
    case local

    var testDescription: String { self == .tcp ? "TCP" : "in one process" }

    func make(_ limits: TransportLimits = TransportLimits()) -> any RPCTransport {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return switch self {
        case .tcp: TCPTransport(limits: limits, logger: logger)
        case .local: LocalTransport(limits: limits, logger: logger)
        }
    }
}

/// A listener and a connection to it.
struct Pair {
    let listener: any RPCListener
    let connection: any RPCConnection

    init(_ transport: any RPCTransport, _ handlers: [RPCMethod: RPCHandler] = TestService.handlers) async throws {
        listener = try await transport.listen(host: "127.0.0.1", port: 0, handlers: handlers)
        connection = try await transport.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(10))
    }

    func end() async {
        await connection.close()
        await listener.shutdown(grace: .zero)
    }
}
