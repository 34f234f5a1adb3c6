import ArgumentParser
import Foundation
import Terminal
import Trust

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Decides which machines belong to a cluster: certificates, join tokens, revocation.",
        discussion: """
            Once, on the coordinator's machine:
              phalanx cluster init
              phalanx coordinator --model /models/phi-3-medium.gguf --bind 10.0.0.1

            For each further machine, a token that is good for once:
              (umask 077; phalanx cluster invite > token)     on the coordinator's machine; copy it over
              phalanx worker --join 10.0.0.1:7070 --bind 10.0.0.2 --token-file token

            From then on that machine has its own key and certificate, which are renewed by themselves.
            """,
        subcommands: [
            ClusterInitCommand.self, ClusterInviteCommand.self, ClusterNodesCommand.self, ClusterRevokeCommand.self,
            ClusterRotateCommand.self,
        ])
}

/// The directory that a `cluster` command works on.
struct ClusterDirectoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The cluster's directory (default: $XDG_CONFIG_HOME/phalanx or ~/.config/phalanx).", valueName: "dir"))
    var clusterDir: String?

    func directory() throws -> ClusterDirectory {
        if let clusterDir, !clusterDir.isEmpty {
            return ClusterDirectory(path: URL(fileURLWithPath: clusterDir).path)
        }
        guard let directory = BindOptions.defaultDirectory else {
            throw CommandError("neither XDG_CONFIG_HOME nor HOME is set: name a --cluster-dir")
        }
        return directory
    }
}

struct ClusterInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Makes a cluster: a certificate authority and the coordinator's certificate.",
        discussion: """
            Whoever can read the directory can let machines into the cluster: keep it on the coordinator's machine, and \
            a copy in a safe place. A second coordinator on standby needs a copy, too.
            """)

    @OptionGroup var options: ClusterDirectoryOptions

    func run() throws {
        let directory = try options.directory()
        let cluster = try directory.makeCluster()
        note("Made the cluster \(cluster) in \(directory.path). Let machines in with: phalanx cluster invite")
    }
}

struct ClusterInviteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Prints a join token that lets one machine into the cluster, once.",
        discussion: """
            Give it to the machine in a file (--token-file) or in the environment (PHALANX_JOIN_TOKEN), never as an \
            argument, which every user of that machine could read. A running coordinator takes it at once.
            """)

    @Option(help: "What the machine may be: worker or gateway.")
    var role: RoleArgument = .worker

    @Option(help: "The node's name (default: the machine's own choice).")
    var name: String?

    @Option(help: "How long the token can be used, such as 30m, 1h or 7d.")
    var valid = LifetimeArgument(seconds: 3600)

    @OptionGroup var options: ClusterDirectoryOptions

    func run() throws {
        let token = try options.directory().invite(
            role == .worker ? .worker : .gateway, name: name, lifetime: valid.seconds)
        try Output.line(token.text)
    }

    enum RoleArgument: String, ExpressibleByArgument, CaseIterable { case worker, gateway }
}

struct ClusterNodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "Lists the nodes that were let in, and how long their certificates last.")

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @OptionGroup var options: ClusterDirectoryOptions

    private struct Row: Encodable {
        let name: String
        let role: String
        let cluster: String
        let expires: String
        let state: String
    }

    func run() throws {
        let directory = try options.directory()
        _ = try directory.authority()
        let revoked = directory.revokedNames()
        let now = Date()
        let rows = try directory.issuedNodes().map { node in
            Row(
                name: node.identity.name, role: node.identity.role.rawValue, cluster: node.identity.cluster,
                expires: node.notAfter.ISO8601Format(),
                state: revoked.contains(node.identity.name) ? "revoked" : node.notAfter < now ? "expired" : "valid")
        }
        if json { return try JSONOutput.write(rows) }
        var table = Table([("NODE", .left), ("ROLE", .left), ("STATE", .left), ("CERTIFICATE UNTIL", .left)])
        for row in rows { table.add([row.name, row.role, row.state, row.expires]) }
        try Output.line(table.text())
    }
}

struct ClusterRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Takes a node out of the cluster, whatever certificate it shows.",
        discussion: """
            A running coordinator tells all nodes within seconds; connections of the revoked one end within 20. Its name \
            stays taken: let the machine in again under another.
            """)

    @Argument(help: "The node's name, as `phalanx cluster nodes` shows it.")
    var name: String

    @OptionGroup var options: ClusterDirectoryOptions

    func run() throws {
        try options.directory().revoke(name)
        note("Revoked \(name).")
    }
}

struct ClusterRotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Replaces the certificate authority, without interruption.",
        discussion: """
            The first call makes a new authority, which the old one vouches for; running nodes renew their certificates by \
            themselves. The second, with --finish, ends trust in the old one once every node has done so.
            """)

    @Flag(help: "End the rotation that was begun.")
    var finish = false

    @Flag(help: "End it even though some nodes did not renew; those need new tokens.")
    var force = false

    @OptionGroup var options: ClusterDirectoryOptions

    mutating func validate() throws {
        if force, !finish { throw ValidationError("--force goes with --finish.") }
    }

    func run() throws {
        let directory = try options.directory()
        guard finish else {
            try directory.beginRotation()
            note("A new authority signs from now on. Once all nodes have renewed: phalanx cluster rotate --finish")
            return
        }
        let behind = try directory.finishRotation(force: force)
        guard behind.isEmpty || force else {
            throw CommandError(
                "these nodes still show certificates of the old authority: \(behind.joined(separator: ", ")). Start them, "
                    + "and they renew by themselves; or revoke them; or say --force, and they need new tokens")
        }
        note("The old authority is trusted no more.")
    }
}

/// A span of time on the command line: "90s", "30m", "1h", "7d".
struct LifetimeArgument: ExpressibleByArgument {
    let seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int(argument.dropLast()),
            (1...100_000).contains(count)
        else { return nil }
        seconds = Double(count) * unit
    }

    var defaultValueDescription: String { "\(Int(seconds / 3600))h" }
}
