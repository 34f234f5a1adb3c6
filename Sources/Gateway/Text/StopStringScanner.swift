/// Finds stop strings in a text that comes in pieces.
///
/// Text that may be the beginning of a stop string is held back. The stop string that is complete first ends the
/// text; of several that end together the longest counts. So the result does not depend on how the text is cut.
struct StopStringScanner: Sendable {
    private let stops: [[UInt8]]
    /// What is held back: always shorter than the longest stop string.
    private var held: [UInt8] = []
    /// The stop string that was found, after which nothing counts any more.
    private(set) var matched: String?

    init(_ stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }
    }

    /// The text that is certain to come before any stop string.
    mutating func append(_ text: String) -> String {
        guard matched == nil else { return "" }
        guard !stops.isEmpty else { return text }
        for byte in text.utf8 {
            held.append(byte)
            let matches = stops.filter { held.count >= $0.count && held.suffix($0.count).elementsEqual($0) }
            if let longest = matches.max(by: { $0.count < $1.count }) {
                matched = String(decoding: longest, as: UTF8.self)
                held.removeLast(longest.count)
                return release(held.count, of: held)
            }
        }
        return release(held.count - candidateByteCount, of: held)
    }

    /// What was held back, when the text ends without a stop string.
    mutating func finish() -> String {
        release(held.count, of: held)
    }

    /// The length of the longest suffix that a stop string begins with.
    private var candidateByteCount: Int {
        let longest = stops.reduce(0) { max($0, $1.count - 1) }
        for count in stride(from: min(longest, held.count), to: 0, by: -1) {
            let suffix = held.suffix(count)
            if stops.contains(where: { $0.count > count && $0.starts(with: suffix) }) { return count }
        }
        return 0
    }

    /// A stop string starts and ends with whole characters, and so does everything around it.
    private mutating func release(_ count: Int, of bytes: [UInt8]) -> String {
        held.removeFirst(count)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
