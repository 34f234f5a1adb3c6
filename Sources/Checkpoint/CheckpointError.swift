import Host

/// Why a checkpoint cannot be used: what was wrong, in which file, tensor or key, and the cure.
public struct CheckpointError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failure that a caller may want to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case notFound, unreadable, malformed, unsupported, inconsistent, missing, notFetched
        }
        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The path names no checkpoint.
        public static let notFound = Code(.notFound)
        /// The operating system does not let the file be read.
        public static let unreadable = Code(.unreadable)
        /// The file breaks its format: truncated, corrupt or hostile.
        public static let malformed = Code(.malformed)
        /// The file is sound, but asks for something that is not implemented.
        public static let unsupported = Code(.unsupported)
        /// Parts of the checkpoint contradict each other.
        public static let inconsistent = Code(.inconsistent)
        /// The checkpoint lacks something that was asked for.
        public static let missing = Code(.missing)
        /// Bytes that were asked for have not been fetched from another node yet.
        public static let notFetched = Code(.notFetched)

        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// The file that was being read.
    public let path: String
    /// What was wrong and what to do.
    public let message: String

    public init(code: Code, path: String, message: String) {
        self.code = code
        self.path = path
        self.message = message
    }

    public var description: String { "\(path): \(message)" }

    /// What the operating system said about a file of a checkpoint.
    init(_ error: HostError, path: String) {
        let text = error.message
        self.init(
            code: error.code == .fileNotFound ? .notFound : .unreadable,
            path: path,
            message: text.hasPrefix(path + ": ") ? String(text.dropFirst(path.count + 2)) : text)
    }

    static func malformed(_ path: String, _ message: String) -> CheckpointError {
        CheckpointError(code: .malformed, path: path, message: message)
    }

    static func unsupported(_ path: String, _ message: String) -> CheckpointError {
        CheckpointError(code: .unsupported, path: path, message: message)
    }

    static func inconsistent(_ path: String, _ message: String) -> CheckpointError {
        CheckpointError(code: .inconsistent, path: path, message: message)
    }

    static func missing(_ path: String, _ message: String) -> CheckpointError {
        CheckpointError(code: .missing, path: path, message: message)
    }
}

/// Text from a file as it may appear in a message: short, and without characters that could upset a terminal.
func quoted(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(80) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        shown.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return "'\(shown)\(text.unicodeScalars.count > 80 ? "..." : "")'"
}
