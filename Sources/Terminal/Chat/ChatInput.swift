/// What somebody types in a talk: a message to the model, or a command to the program.
public enum ChatInput: Hashable, Sendable {
    case message(String)
    case help, clear, show, again, leave
    /// Nil takes the system prompt away.
    case system(String?)
    case set(name: String, value: String)
    case save(path: String)
    case load(path: String)
    /// What is wrong with a command, and the cure.
    case mistake(String)

    public static let commands = """
        /help                 this list
        /system TEXT          what the model is told before the talk (without TEXT: nothing)
        /set NAME VALUE       temperature, top_p, max_tokens or seed ("default": the gateway's own)
        /show                 the model, its settings and how long the talk is
        /again                asks for another answer to the last message
        /clear                forgets the talk
        /save FILE            writes the talk to a file (JSON)
        /load FILE            goes on with a talk that was saved
        /bye                  leaves (so does Ctrl-D)
        Ctrl-C stops an answer; at an empty prompt twice, it leaves. A message of several lines stands between two
        lines of \"\"\"; or end a line with \\, or press Alt-Enter. Two slashes begin a message with one.
        """

    /// Reads one input; white space around it does not count.
    public init(_ input: String) {
        let text = input.trimmed
        guard text.hasPrefix("/"), !text.hasPrefix("//") else {
            self = .message(text.hasPrefix("//") ? String(text.dropFirst()) : text)
            return
        }
        let words = text.dropFirst().split(separator: " ", maxSplits: 1)
        let rest = words.count > 1 ? String(words[1]).trimmed : ""
        let name = words.first.map(String.init) ?? ""
        func file(_ make: (String) -> ChatInput) -> ChatInput {
            rest.isEmpty ? .mistake("/\(name) needs the name of a file: /\(name) talk.json") : make(rest)
        }
        switch name {
        case "help", "?": self = .help
        case "clear": self = .clear
        case "show": self = .show
        case "again": self = .again
        case "bye", "exit", "quit": self = .leave
        case "system": self = .system(rest.isEmpty ? nil : rest)
        case "save": self = file { .save(path: $0) }
        case "load": self = file { .load(path: $0) }
        case "set":
            let parts = rest.split(separator: " ", maxSplits: 1).map { String($0).trimmed }
            self =
                parts.count == 2
                ? .set(name: parts[0], value: parts[1])
                : .mistake("/set needs a name and a value: /set temperature 0.5")
        default:
            self = .mistake(
                "There is no /\(PrintableText.of(name)). /help lists the commands; // begins a message with /.")
        }
    }
}

/// Joins lines that belong together: those between `"""`, and those that end in a backslash.
public struct ChatLines: Sendable {
    private var gathered: [String] = []
    private var isQuoted = false
    private static let quote = "\"\"\""

    public init() {}

    /// Whether a line has been taken that more belong to.
    public var isOpen: Bool { isQuoted || !gathered.isEmpty }

    /// Takes a line and returns the whole input when it is complete.
    public mutating func take(_ line: String) -> String? {
        if isQuoted {
            guard line.trimmed.hasSuffix(Self.quote) else {
                gathered.append(line)
                return nil
            }
            isQuoted = false
            return close(with: String(line.trimmed.dropLast(3)))
        }
        if gathered.isEmpty, line.hasPrefix(Self.quote) {
            let rest = String(line.dropFirst(3))
            if rest.trimmed.hasSuffix(Self.quote) { return String(rest.trimmed.dropLast(3)) }
            isQuoted = true
            if !rest.isEmpty { gathered = [rest] }
            return nil
        }
        if line.hasSuffix("\\") {
            gathered.append(String(line.dropLast()))
            return nil
        }
        gathered.append(line)
        return close(with: "")
    }

    /// What is gathered though its end never came; nil when there is nothing.
    public mutating func flush() -> String? { isOpen ? close(with: "") : nil }

    /// Forgets what was gathered.
    public mutating func reset() { self = ChatLines() }

    private mutating func close(with last: String) -> String {
        if !last.isEmpty { gathered.append(last) }
        defer { reset() }
        return gathered.joined(separator: "\n")
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        let start = drop { $0.isWhitespace }
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...end])
    }
}
