/// Where a request stands in a trace that began elsewhere.
///
/// Source: W3C Trace Context (https://www.w3.org/TR/trace-context/), version 00.
public struct TraceContext: Hashable, Sendable {
    /// 32 hexadecimal digits in lower case, not all 0.
    public let traceID: String
    /// 16 of them: the span of whoever asked.
    public let spanID: String
    /// Whether whoever asked records the trace.
    public let isSampled: Bool
    /// What tracing systems keep for themselves, at most 512 bytes; empty when they keep nothing.
    public let state: String

    /// Reads the two headers. Nil when `traceparent` is not as the standard has it; a `tracestate` that is not, or that is
    /// too long, is dropped alone.
    public init?(traceparent: String, tracestate: String = "") {
        let bytes = Array(traceparent.utf8)
        // Later versions may go on after a hyphen.
        guard bytes.count == 55 || (55..<513).contains(bytes.count) && bytes[55] == UInt8(ascii: "-") else {
            return nil
        }
        let hyphens = [2, 35, 52]
        guard (0..<55).allSatisfy({ hyphens.contains($0) ? bytes[$0] == UInt8(ascii: "-") : Self.isDigit(bytes[$0]) })
        else { return nil }
        let parts = traceparent.split(separator: "-", maxSplits: 4).map(String.init)
        let isEmpty = { (digits: String) in digits.utf8.allSatisfy { $0 == UInt8(ascii: "0") } }
        guard parts[0] != "ff", parts[0] != "00" || bytes.count == 55, !isEmpty(parts[1]), !isEmpty(parts[2]) else {
            return nil
        }
        traceID = parts[1]
        spanID = parts[2]
        isSampled = (UInt8(parts[3], radix: 16) ?? 0) & 1 == 1
        state = Self.isState(tracestate) ? tracestate : ""
    }

    private init(traceID: String, spanID: String, isSampled: Bool, state: String) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// The same for those who are asked next, with a span of our own.
    public func child(using generator: inout some RandomNumberGenerator) -> TraceContext {
        var number = UInt64(0)
        while number == 0 { number = generator.next() }
        let digits = String(number, radix: 16)
        return TraceContext(
            traceID: traceID, spanID: String(repeating: "0", count: 16 - digits.count) + digits,
            isSampled: isSampled, state: state)
    }

    /// The value of the header `traceparent`.
    public var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// The same without what tracing systems keep for themselves.
    public var withoutState: TraceContext {
        TraceContext(traceID: traceID, spanID: spanID, isSampled: isSampled, state: "")
    }

    /// What ties a line of a log to the trace.
    public var logFields: [(key: String, value: String)] { [("trace_id", traceID), ("span_id", spanID)] }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// At most 32 members "key=value" of visible characters, with commas between them.
    private static func isState(_ text: String) -> Bool {
        guard text.utf8.count <= 512 else { return false }
        let members = text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        return members.count <= 32
            && members.allSatisfy { member in
                let parts = member.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
                let spaces: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
                if member.allSatisfy(spaces) { return true }
                return parts.count == 2 && isKey(parts[0].drop(while: spaces)) && !parts[1].allSatisfy(spaces)
                    && parts[1].allSatisfy { (0x20..<0x7F).contains($0) }
            }
    }

    private static func isKey(_ key: Substring.UTF8View) -> Bool {
        (1...256).contains(key.count)
            && key.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_-*/@".utf8.contains(byte)
            }
    }
}
