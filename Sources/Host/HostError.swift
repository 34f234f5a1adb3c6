import Glibc

/// What went wrong between this process and the machine it runs on: a file, memory, or threads.
public struct HostError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failure that a caller may want to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case fileNotFound, permissionDenied, notARegularFile, fileChanged, fileExists, outOfRange, noSpace, system
        }
        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// Nothing exists at the path.
        public static let fileNotFound = Code(.fileNotFound)
        /// The operating system refused access.
        public static let permissionDenied = Code(.permissionDenied)
        /// The path names a directory, a socket or a device.
        public static let notARegularFile = Code(.notARegularFile)
        /// The file is not the one that was opened any more.
        public static let fileChanged = Code(.fileChanged)
        /// A file of that name is there already.
        public static let fileExists = Code(.fileExists)
        /// A byte range reaches outside its file.
        public static let outOfRange = Code(.outOfRange)
        /// The file system is full, or the user's quota of it used up.
        public static let noSpace = Code(.noSpace)
        /// Any other refusal of the operating system.
        public static let system = Code(.system)

        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What was wrong, where, and what to do.
    public let message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    /// The error for an `errno` that `action` ("open", "map") on `path` ended with.
    static func file(_ path: String, action: String, errno number: Int32) -> HostError {
        switch number {
        case ENOENT, ENOTDIR:
            HostError(code: .fileNotFound, message: "\(path): no such file; check the path")
        case EACCES, EPERM:
            HostError(
                code: .permissionDenied,
                message: "\(path): permission denied; make it readable for the user that runs this process")
        default:
            HostError(code: .system, message: "\(path): cannot \(action): \(reason(number))")
        }
    }

    /// The error for an `errno` that an `action` that changes `path` ended with.
    static func change(of path: String, action: String, errno number: Int32) -> HostError {
        switch number {
        case ENOSPC, EDQUOT, EFBIG:
            HostError(code: .noSpace, message: "\(path): cannot \(action): \(reason(number)); make room")
        case EACCES, EPERM, EROFS:
            HostError(
                code: .permissionDenied,
                message: "\(path): cannot \(action): \(reason(number)); make it writable for the user of this process")
        default: file(path, action: action, errno: number)
        }
    }

    /// The operating system's words for an `errno`.
    static func reason(_ number: Int32) -> String {
        unsafe String(cString: strerror(number))  // glibc's strerror returns a valid string for every number.
    }
}
