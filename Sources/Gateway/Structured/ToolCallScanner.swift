/// Finds the calls of functions in an answer that comes in pieces and keeps to the grammar of its tools.
///
/// What comes before the mark that begins them is text. Arguments are handed on as they come.
struct ToolCallScanner: Sendable {
    enum Piece: Hashable, Sendable {
        case text(String)
        /// A call begins.
        case call(index: Int, name: String)
        /// More of a call's arguments, which are JSON.
        case arguments(index: Int, String)
    }

    /// A call of a function as an answer has it.
    struct Call: Hashable, Sendable {
        let name: String
        /// JSON, as far as it came.
        var arguments = ""
    }

    private enum Place: Hashable {
        case text
        /// Between calls, in one before its arguments, or behind them.
        case outside
        case arguments
    }

    private let opening: String
    private var text: StopStringScanner
    private var place = Place.text
    /// The bytes of a call before its arguments.
    private var head: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Calls that have begun.
    private(set) var callCount = 0

    init(opening: String) {
        self.opening = opening
        text = StopStringScanner([opening])
    }

    /// Takes a whole answer apart.
    static func read(_ answer: String, opening: String) -> (text: String, calls: [Call]) {
        var scanner = ToolCallScanner(opening: opening)
        var text = ""
        var calls: [Call] = []
        for piece in scanner.append(answer) + scanner.finish() {
            switch piece {
            case .text(let more): text += more
            case .call(_, let name): calls.append(Call(name: name))
            case .arguments(let index, let more): calls[index].arguments += more
            }
        }
        return (text, calls)
    }

    /// Takes the next text of the answer.
    mutating func append(_ next: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = next[...]
        while place == .text, let scalar = rest.unicodeScalars.popFirst() {
            Self.add(.text(text.append(String(scalar))), to: &pieces)
            if text.matched != nil { place = .outside }
        }
        var arguments: [UInt8] = []
        for byte in rest.utf8 {
            if place == .arguments { arguments.append(byte) } else { head.append(byte) }
            guard !passesString(byte) else { continue }
            switch byte {
            case UInt8(ascii: "{"):
                depth += 1
                if place == .outside, depth == 2 {
                    callCount += 1
                    Self.add(.call(index: callCount - 1, name: name()), to: &pieces)
                    head = []
                    arguments = [byte]
                    place = .arguments
                }
            case UInt8(ascii: "}"):
                depth -= 1
                if place == .arguments, depth == 1 {
                    Self.add(
                        .arguments(index: callCount - 1, String(decoding: arguments, as: UTF8.self)), to: &pieces)
                    arguments = []
                    place = .outside
                }
                if depth == 0 { head = [] }
            default: break
            }
        }
        if !arguments.isEmpty {
            Self.add(.arguments(index: callCount - 1, String(decoding: arguments, as: UTF8.self)), to: &pieces)
        }
        return pieces
    }

    /// The rest of the text, when no call came.
    mutating func finish() -> [Piece] {
        guard place == .text else { return [] }
        var pieces: [Piece] = []
        Self.add(.text(text.finish()), to: &pieces)
        return pieces
    }

    /// Whether a byte belongs to a string of JSON.
    private mutating func passesString(_ byte: UInt8) -> Bool {
        guard isInString else {
            isInString = byte == UInt8(ascii: "\"")
            return isInString
        }
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
        }
        return true
    }

    /// The name in `{"name": "...", "arguments": {`. Names have no escapes.
    private func name() -> String {
        let parts = String(decoding: head, as: UTF8.self).split(separator: "\"", omittingEmptySubsequences: false)
        return parts.count > 3 ? String(parts[3]) : ""
    }

    private static func add(_ piece: Piece, to pieces: inout [Piece]) {
        switch (piece, pieces.last) {
        case (.text(""), _): break
        case (.text(let next), .text(let last)?): pieces[pieces.count - 1] = .text(last + next)
        default: pieces.append(piece)
        }
    }
}
