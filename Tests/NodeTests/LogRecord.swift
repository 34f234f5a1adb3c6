import Logging
import Synchronization

/// Keeps what the workers of a test cluster log.
final class LogRecord: Sendable {
    struct Entry: Sendable {
        let message: String
        /// As text; with the worker's name under "worker".
        let metadata: [String: String]
    }

    private let entries = Mutex<[Entry]>([])

    /// The entries of a message so far, oldest first.
    func entries(of message: String) -> [Entry] { entries.withLock { $0.filter { $0.message == message } } }

    func logger(worker: String) -> Logger {
        var logger = Logger(label: "test") { _ in Handler(record: self) }
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
