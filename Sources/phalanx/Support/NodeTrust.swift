import CoordinatorClient
import Foundation
import Logging
import ServiceLifecycle
import Transport
import Trust

/// A worker's or gateway's place in a cluster: credentials, and the service that keeps them fresh.
struct NodeTrust: Sendable {
    let transport: TCPTransport
    /// The node's name as its certificate has it; nil in plain text.
    let name: String?
    /// Nil in plain text.
    let service: (any Service)?

    /// Finds this machine's credentials, or gets some with a join token.
    ///
    /// - Parameters:
    ///   - name: the node's name, when the user chose one.
    ///   - coordinator: who lets it in.
    /// - Throws: `TrustError` or `CommandError`, with what to do.
    static func open(
        _ role: NodeRole, name: String?, binding: BindOptions, tokens: TokenOptions, coordinator: AddressArgument,
        logs: LogOptions
    ) async throws -> NodeTrust {
        let logger = logs.logger("phalanx.trust")
        let transportLogger = logs.logger("phalanx.transport")
        guard tokens.encrypts(with: binding) else {
            return NodeTrust(transport: TCPTransport(logger: transportLogger), name: nil, service: nil)
        }
        guard let directory = binding.directory ?? BindOptions.defaultDirectory else {
            throw CommandError("neither XDG_CONFIG_HOME nor HOME is set: name a --cluster-dir")
        }
        var found = try directory.credentials(role, name: name)
        if found == nil, try directory.hasAuthority {
            found = try directory.credentials(role, name: name ?? Self.defaultName(role))
        }
        if found == nil, let token = try tokens.token() {
            let credentials = try await Enrolment.enrol(
                role, name: name ?? Self.defaultName(role), token: token, host: coordinator.host,
                port: coordinator.port, logger: transportLogger)
            try directory.store(credentials)
            logs.note("Joined the cluster \(credentials.identity.cluster) as \(credentials.identity).")
            found = credentials
        }
        guard let credentials = found else {
            throw CommandError(
                "\(directory.path) has no credentials of a \(role.rawValue)\(name.map { " \($0)" } ?? ""): take a token "
                    + "of `phalanx cluster invite --role \(role.rawValue)` and give it with --token-file or "
                    + "PHALANX_JOIN_TOKEN, or speak plain text with --cluster-dir none")
        }
        guard credentials.chain.notAfter > Date() else {
            throw CommandError(
                "the certificate of \(credentials.identity) expired at \(credentials.chain.notAfter): revoke that node "
                    + "with `phalanx cluster revoke`, and let it in again under another --name")
        }
        let security = try TransportSecurity(credentials)
        let transport = TCPTransport(security: security, logger: transportLogger)
        let keeper = TrustKeeper(
            directory: directory, credentials: credentials, security: security, transport: transport,
            host: coordinator.host, port: coordinator.port, logger: logger)
        return NodeTrust(
            transport: transport, name: credentials.identity.name, service: TaskService { try await keeper.run() })
    }

    /// The machine's own name, as far as it can be a node's; gateways have another than workers.
    private static func defaultName(_ role: NodeRole) -> String {
        let host = ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? ""
        let plain = host.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }.prefix(50)
        let name = plain.isEmpty || plain.hasPrefix("-") ? "node" : String(plain)
        return role == .worker ? name : "\(name)-\(role.rawValue)"
    }
}
