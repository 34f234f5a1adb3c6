public import ArgumentParser
public import Logging
public import Terminal

extension Logger.Level: @retroactive ExpressibleByArgument {}

extension LogFormat: ExpressibleByArgument {}

/// What is logged; the log goes to the error output.
struct LogOptions: ParsableArguments {
    @Option(help: "How much to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .notice

    @Option(help: "How to log: text for people, or json for log collectors, with one object per line.")
    var logFormat: LogFormat = .text

    /// Whether the error output is for programs, which take nothing but lines of the log.
    var isForPrograms: Bool { logFormat == .json }

    /// - Parameter node: The name of the node that logs, where it has one.
    func logger(_ label: String, node: String? = nil) -> Logger {
        let format = logFormat
        var logger = Logger(label: label) { LineLogHandler(label: $0, format: format) }
        logger.logLevel = logLevel
        if let node { logger[metadataKey: "node"] = .string(node) }
        return logger
    }

    /// Tells the user something, whatever is logged; where the log is JSON, as a line of it.
    func note(_ text: String) {
        guard isForPrograms else { return phalanx.note(text) }
        LineLogHandler(label: "phalanx", format: .json).log(
            event: LogEvent(
                level: .notice, message: "\(text)", metadata: nil, source: nil, file: #fileID, function: #function,
                line: #line))
    }
}
