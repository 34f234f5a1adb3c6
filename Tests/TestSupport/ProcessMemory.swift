import Foundation
import Glibc

/// The memory of this process.
public enum ProcessMemory {
    public struct Failure: Error {
        public let message: String
    }

    /// Bytes that are resident now; 0 where /proc does not say.
    public static var residentByteCount: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(CInt(_SC_PAGESIZE)) : 0
    }

    /// Lets the process take so many bytes of private memory beyond what it has now; asking for more kills it. For
    /// tests in a process of their own.
    public static func limit(beyondNow byteCount: Int) throws {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmData:") }),
            let kibibytes = Int(line.split(whereSeparator: \.isWhitespace)[1])
        else { throw Failure(message: "no VmData in /proc/self/status") }
        let limit = rlim_t(kibibytes * 1024 + byteCount)
        var limits = rlimit(rlim_cur: limit, rlim_max: limit)
        // The pointer is used during the call only.
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limits) == 0 else {
            throw Failure(message: "setrlimit: \(errno)")
        }
    }
}
