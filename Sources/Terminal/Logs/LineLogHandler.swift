public import Foundation
public import Logging

/// Writes each event as one line to the error output, as text or as a JSON object.
///
/// What others said (requests, peers, files) may be part of an event, so no character of it can end the line or steer a
/// terminal: such characters are written as escapes.
public struct LineLogHandler: LogHandler {
    public var logLevel = Logger.Level.info
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: LogFormat
    private let write: @Sendable (Data) -> Void

    /// - Parameters:
    ///   - label: The part of the program that logs.
    ///   - write: Takes one line at a time, with its end.
    public init(
        label: String, format: LogFormat, write: @escaping @Sendable (Data) -> Void = Self.writeToErrorOutput
    ) {
        self.label = label
        self.format = format
        self.write = write
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        if let error = event.error { all["error"] = .string("\(error)") }
        let time = Date.now.formatted(Self.timeStyle)
        let line =
            switch format {
            case .text:
                "\(time) \(event.level) \(label): "
                    + all.sorted { $0.key < $1.key }.map { key, value in
                        "\(Self.escaped(key))=\(Self.escaped("\(value)")) "
                    }.joined() + Self.escaped("\(event.message)")
            case .json:
                "{\"time\":\"\(time)\",\"level\":\"\(event.level)\",\"component\":\(Self.quoted(label)),"
                    + "\"message\":\(Self.quoted("\(event.message)")),\"metadata\":\(Self.json(.dictionary(all)))}"
            }
        write(Data((line + "\n").utf8))
    }

    /// RFC 3339 in UTC, with milliseconds.
    private static let timeStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// A log that nobody takes any more is no reason to end.
    public static let writeToErrorOutput: @Sendable (Data) -> Void = {
        try? FileHandle.standardError.write(contentsOf: $0)
    }

    private static func json(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .stringConvertible(let value): quoted("\(value)")
        case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
        case .dictionary(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(json($0.value))" }
                .joined(separator: ",") + "}"
        }
    }

    /// A JSON string.
    private static func quoted(_ text: String) -> String { "\"\(escaped(text, alsoQuotes: true))\"" }

    /// The text without characters that end a line, steer a terminal or turn the writing's direction over.
    private static func escaped(_ text: String, alsoQuotes: Bool = false) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22 where alsoQuotes, 0x5C: escaped += "\\\(scalar)"
            case 0x0A: escaped += "\\n"
            case 0x0D: escaped += "\\r"
            case 0x09: escaped += "\\t"
            // Line and paragraph separators end lines for some readers.
            case 0x2028, 0x2029,
                _ where PrintableText.steers(scalar):
                let digits = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
