import Foundation
import Glibc
public import Logging
import Synchronization

/// One line of JSON for every request that sends something, in a file that only its owner can read.
///
/// Keys are never in it, texts only on demand. What cannot be written is told in the server's log, and serving goes on.
public final class AuditLog: Sendable {
    private let path: String
    /// Whether prompts and answers are written, too.
    let includesText: Bool
    private let logger: Logger
    private let file: Mutex<OpenFile>

    private struct OpenFile {
        /// Negative while the file cannot be opened.
        let descriptor: Int32
        /// Nil when there was no file of that name any more.
        let number: Int?

        init(_ path: String) {
            descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            number = descriptor < 0 ? nil : Self.number(path)
        }

        static func number(_ path: String) -> Int? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.systemFileNumber] as? Int
        }
    }

    /// Opens the file, or makes it. Throws `GatewayFileError`.
    public init(path: String, includesText: Bool, logger: Logger) throws {
        self.path = path
        self.includesText = includesText
        self.logger = logger
        let opened = OpenFile(path)
        guard opened.descriptor >= 0 else {
            throw GatewayFileError("cannot write the audit log \(path): \(unsafe String(cString: strerror(errno)))")
        }
        file = Mutex(opened)
    }

    deinit { file.withLock { _ = close($0.descriptor) } }

    func write(_ record: JSONValue) {
        let line = record.encoded + [UInt8(ascii: "\n")]
        let problem: Int32? = file.withLock { file in
            // Whoever rotates logs renames the file, and finds a new one.
            if file.number == nil || OpenFile.number(path) != file.number {
                if file.descriptor >= 0 { close(file.descriptor) }
                file = OpenFile(path)
            }
            guard file.descriptor >= 0 else { return errno }
            let descriptor = file.descriptor
            // One call per line: with O_APPEND lines of several processes stay whole. Sound: the bytes are only read.
            let count = unsafe line.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            return count == line.count ? nil : count < 0 ? errno : ENOSPC
        }
        guard let problem else { return }
        logger.error(
            "a line of the audit log is lost",
            metadata: ["file": "\(path)", "error": "\(unsafe String(cString: strerror(problem)))"])
    }
}
