import ArgumentParser
import Terminal

/// A size in bytes on the command line: "8GiB", "512M".
struct ByteCountArgument: ExpressibleByArgument {
    let byteCount: Int

    init(byteCount: Int) { self.byteCount = byteCount }

    init?(argument: String) {
        guard let byteCount = ByteCount.parse(argument) else { return nil }
        self.byteCount = byteCount
    }

    var defaultValueDescription: String { ByteCount.text(byteCount) }
}

/// A host and a port on the command line: "10.0.0.1:7070", "[::1]:7070".
struct AddressArgument: ExpressibleByArgument {
    let host: String
    let port: Int

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = Int(argument[argument.index(after: colon)...]),
            (1...65535).contains(port)
        else { return nil }
        var host = String(argument[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = host
        self.port = port
    }
}

/// A comma-separated list of whole numbers on the command line: "3,1,2".
struct IntegerListArgument: ExpressibleByArgument {
    let values: [Int]

    init?(argument: String) {
        var values: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Int(part.filter { $0 != " " }) else { return nil }
            values.append(value)
        }
        self.values = values
    }
}
