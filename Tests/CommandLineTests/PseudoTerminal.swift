import Foundation
import Synchronization
import TestSupport

/// The program at a terminal of its own: what a person types goes in, what the person sees comes out.
final class PseudoTerminal: @unchecked Sendable {
    // Sound because all members are set once, in `init`; `Process` guards its own state, and the mutex guards the rest.
    let process = Process()
    private let master: FileHandle
    private let slave: FileHandle
    private let seen = Mutex("")
    private let folder: TemporaryDirectory

    /// Starts the program with the arguments; `setsid` makes the terminal the one whose keys can signal it.
    init(_ arguments: [String], columns: UInt16 = 80, rows: UInt16 = 24, folder: TemporaryDirectory) throws {
        self.folder = folder
        var ends: (outer: Int32, inner: Int32) = (-1, -1)
        guard unsafe openpty(&ends.outer, &ends.inner, nil, nil, nil) == 0 else {
            throw Program.Failure(description: "there is no pseudo-terminal: errno \(errno)")
        }
        // The program must not inherit the outer end: it would keep its own terminal open.
        _ = fcntl(ends.outer, F_SETFD, FD_CLOEXEC)
        master = FileHandle(fileDescriptor: ends.outer, closeOnDealloc: true)
        slave = FileHandle(fileDescriptor: ends.inner, closeOnDealloc: true)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
        process.arguments = ["--ctty", "--wait", Program.path] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["TERM": "xterm", "XDG_STATE_HOME": folder.url.path, "XDG_CACHE_HOME": folder.url.path],
            uniquingKeysWith: { _, own in own })
        process.standardInput = slave
        process.standardOutput = slave
        process.standardError = slave
        resize(columns: columns, rows: rows)
        try process.run()
        let reader = Thread { [self] in
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = unsafe read(master.fileDescriptor, &bytes, bytes.count)
                guard count > 0 else { return }
                seen.withLock { $0 += String(decoding: bytes[..<count], as: UTF8.self) }
            }
        }
        reader.start()
    }

    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = unsafe ioctl(master.fileDescriptor, UInt(TIOCSWINSZ), &size)
    }

    func type(_ keys: String) throws { try master.write(contentsOf: Data(keys.utf8)) }

    /// All that was shown so far, escape sequences included.
    var output: String { seen.withLock { $0 } }

    /// What is shown from now on.
    func forget() { seen.withLock { $0 = "" } }

    func waitFor(_ text: String) async throws {
        do {
            try await waitUntil("the terminal shows \"\(text)\"") { output.contains(text) }
        } catch {
            throw Program.Failure(description: "\(error); it shows: \(output)")
        }
    }

    /// Waits for the end of the program and returns its exit status.
    func end() async throws -> Int32 {
        do {
            try await waitUntil("the program ends") { !process.isRunning }
        } catch {
            throw Program.Failure(description: "\(error); it shows: \(output)")
        }
        return process.terminationStatus
    }

    /// Whether the terminal echoes and makes lines again, as it did before.
    var isAsBefore: Bool {
        var mode = termios()
        guard unsafe tcgetattr(slave.fileDescriptor, &mode) == 0 else { return false }
        let usual = tcflag_t(ECHO | ICANON | ISIG)
        return mode.c_lflag & usual == usual
    }

    func cleanUp() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
