import ArgumentParser
import Foundation
import Terminal
import Trust

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Decides who may use the API: keys, their limits, revocation.",
        discussion: """
            Run it on the coordinator's machine, with the coordinator's --cluster-dir. As soon as there is a key, every request \
            needs one, at all gateways, but those to /healthz, /readyz and for the files of the web page, which has a field for \
            it. A running coordinator follows at once.

              phalanx keys create alice --requests-per-minute 60 --tokens-per-minute 20000
              PHALANX_API_KEY=phx-... phalanx chat
              curl -H "Authorization: Bearer phx-..." http://127.0.0.1:8080/v1/models

            Keys are kept as hashes, in the folder keys of the cluster's directory. Revoked ones stay listed, and keys stay \
            needed; to let everybody in again, remove that folder.
            """,
        subcommands: [KeysCreateCommand.self, KeysListCommand.self, KeysRevokeCommand.self])
}

extension ClusterDirectoryOptions {
    func keys() throws -> ClientKeyDirectory { ClientKeyDirectory(try directory()) }
}

struct KeysCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes an API key and prints it, once.",
        discussion: """
            Limits are counted in the coordinator, whatever the gateway. Requests and tokens are given back evenly over the \
            minute. A request reserves its prompt and the most that its answer may have, but for the answer no more than a \
            quarter of a minute's tokens; what it took more is owed, what it took less is given back.
            """)

    @Argument(help: "The client's name: 1 to 63 letters, digits, '.', '_' and '-'.")
    var name: String

    @Option(help: "Requests that compute answers, per minute.")
    var requestsPerMinute: Int?

    @Option(help: "Tokens of prompts and answers together, per minute.")
    var tokensPerMinute: Int?

    @Option(help: "Requests that wait or run at the same time.")
    var concurrent: Int?

    @Option(help: "How long the key is good, such as 12h or 90d (default: until it is revoked).")
    var expires: LifetimeArgument?

    @OptionGroup var options: ClusterDirectoryOptions

    mutating func validate() throws {
        for (flag, value) in [
            ("--requests-per-minute", requestsPerMinute), ("--tokens-per-minute", tokensPerMinute),
            ("--concurrent", concurrent),
        ] {
            guard (1...1_000_000_000).contains(value ?? 1) else {
                throw ValidationError("\(flag) must be from 1 to 1000000000.")
            }
        }
    }

    func run() throws {
        let key = try options.keys().create(
            name,
            limits: ClientLimits(
                requestsPerMinute: requestsPerMinute, tokensPerMinute: tokensPerMinute, concurrentRequests: concurrent),
            lifetime: expires?.seconds)
        try Output.line(key)
        note("This is the key of \(name); it cannot be shown again.")
    }
}

struct KeysListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the keys by name, with their limits. The keys themselves are not kept.")

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @OptionGroup var options: ClusterDirectoryOptions

    private struct Row: Encodable {
        let name: String
        let state: String
        let created: String
        let expires: String?
        let requestsPerMinute: Int?
        let tokensPerMinute: Int?
        let concurrent: Int?
    }

    func run() throws {
        let (keys, problems) = try options.keys().keys()
        for problem in problems { note("\(problem)") }
        let now = Date()
        let rows = keys.map { key in
            Row(
                name: key.name, state: key.state(at: now).rawValue, created: key.creation.ISO8601Format(),
                expires: key.expiry?.ISO8601Format(), requestsPerMinute: key.limits.requestsPerMinute,
                tokensPerMinute: key.limits.tokensPerMinute, concurrent: key.limits.concurrentRequests)
        }
        if json { return try JSONOutput.write(rows) }
        var table = Table([
            ("NAME", .left), ("STATE", .left), ("REQUESTS/MIN", .right), ("TOKENS/MIN", .right), ("AT ONCE", .right),
            ("EXPIRES", .left),
        ])
        func text(_ limit: Int?) -> String { limit.map { "\($0)" } ?? "-" }
        for row in rows {
            table.add([
                row.name, row.state, text(row.requestsPerMinute), text(row.tokensPerMinute), text(row.concurrent),
                row.expires ?? "never",
            ])
        }
        try Output.line(table.text())
    }
}

struct KeysRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Makes a key good for nothing, from the next request on.",
        discussion: "Answers that are on their way are finished. The name can be given to a new key.")

    @Argument(help: "The key's name, as `phalanx keys list` shows it.")
    var name: String

    @OptionGroup var options: ClusterDirectoryOptions

    func run() throws {
        try options.keys().revoke(name)
        note("Revoked \(name).")
    }
}
