/// A page of measurements in Prometheus' text format, version 0.0.4.
///
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
struct MetricsText {
    enum Kind: String {
        case counter, gauge, histogram, summary
    }

    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var bytes: [UInt8] = []
    private var name = ""

    /// Begins a measurement; what is added next are its samples.
    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        append("# HELP \(name) ")
        appendEscaped(help, quotes: false)
        append("\n# TYPE \(name) \(kind.rawValue)\n")
    }

    /// A measurement with one sample.
    mutating func add(_ name: String, _ kind: Kind, _ value: Double, _ help: String) {
        begin(name, kind, help)
        add(value)
    }

    /// A sample of the measurement that was begun last.
    ///
    /// - Parameter suffix: What the name of the sample has more than the measurement's.
    mutating func add(_ value: Double, suffix: String = "", _ labels: KeyValuePairs<String, String> = [:]) {
        append(name)
        append(suffix)
        var separator = "{"
        for (key, text) in labels {
            append("\(separator)\(key)=\"")
            appendEscaped(text, quotes: true)
            append("\"")
            separator = ","
        }
        append(labels.isEmpty ? " " : "} ")
        append(Self.text(of: value))
        append("\n")
    }

    /// A measurement that is a histogram of seconds.
    mutating func add(_ name: String, _ histogram: LatencyHistogram, _ help: String) {
        begin(name, .histogram, help)
        let snapshot = histogram.snapshot
        var total = 0
        for (bound, count) in zip(histogram.bounds, snapshot.counts) {
            total += count
            add(Double(total), suffix: "_bucket", ["le": Self.text(of: bound)])
        }
        total += snapshot.counts.last ?? 0
        add(Double(total), suffix: "_bucket", ["le": "+Inf"])
        add(snapshot.sumSeconds, suffix: "_sum")
        add(Double(total), suffix: "_count")
    }

    /// Whole numbers without a fraction, as people expect them of counts.
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        guard value.isFinite else { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { String($0) } ?? "\(value)"
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: bytes.append(byte)
            }
        }
    }
}
