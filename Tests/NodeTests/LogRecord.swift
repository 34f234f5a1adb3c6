import Logging
import Synchronization

/// Keeps what the nodes of a test cluster log.
final class LogRecord: Sendable {
    struct Entry: Sendable {
        let message: String
        /// As text; with the worker's name under "worker".
        let metadata: [String: String]
    }

    private let entries = Mutex<[Entry]>([])

    /// The entries of a message so far, oldest first.
    func entries(of message: String) -> [Entry] { entries.withLock { $0.filter { $0.message == message } } }

    /// Whether any entry so far has this text in it.
    func contains(_ text: String) -> Bool {
        entries.withLock { $0.contains { "\($0.message) \($0.metadata)".contains(text) } }
    }

    func logger() -> Logger { Logger(label: "test") { _ in Handler(record: self) } }

    func logger(worker: String) -> Logger {
        var logger = logger()
        logger[metadataKey: "worker"] = "\(worker)"
        return logger
    }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, own in own }
            let entry = Entry(message: "\(event.message)", metadata: all.mapValues { "\($0)" })
            record.entries.withLock { $0.append(entry) }
        }
    }
}
