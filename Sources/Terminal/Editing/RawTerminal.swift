import Foundation

/// A terminal that hands over every key at once, and shows only what it is told to.
///
/// Keys come from the standard input; what is shown goes to the error output, so that the standard output holds the
/// answers alone.
public final class RawTerminal: Sendable {
    private let usual: termios

    /// Nil when input or error output are no terminal, or one that cannot move its cursor.
    public init?(environment: [String: String]) {
        var mode = termios()
        guard isatty(0) == 1, isatty(2) == 1, environment["TERM"] != "dumb", unsafe tcgetattr(0, &mode) == 0 else {
            return nil
        }
        usual = mode
    }

    /// From here on keys are bytes: nothing is echoed, no key makes a signal. What was typed before is not lost.
    public func enter() {
        var mode = usual
        mode.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        mode.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        set(mode)
        // Pasted text comes between marks.
        show("\u{1B}[?2004h")
    }

    /// Makes the terminal what it was.
    public func leave() {
        show("\u{1B}[?2004l")
        set(usual)
    }

    private func set(_ mode: termios) {
        var mode = mode
        _ = unsafe tcsetattr(0, TCSADRAIN, &mode)
    }

    /// Stops the process as Ctrl-Z does, until it is continued.
    func suspend() {
        leave()
        kill(getpid(), SIGTSTP)
        enter()
    }

    func show(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    enum Input: Hashable {
        case bytes([UInt8])
        case nothingYet
        case end
    }

    /// Waits for keys; at most so long, when a time is given.
    func read(timeoutMilliseconds: Int32 = -1) -> Input {
        var descriptor = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        let ready = unsafe poll(&descriptor, 1, timeoutMilliseconds)
        if ready == 0 || ready < 0 && errno == EINTR { return .nothingYet }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe Foundation.read(0, buffer.baseAddress, buffer.count)
        }
        if count < 0, errno == EINTR || errno == EAGAIN { return .nothingYet }
        return count > 0 ? .bytes(Array(bytes[..<count])) : .end
    }

    var size: TerminalSize { TerminalSize.of(descriptor: 2) }
}

/// How much a terminal shows.
public struct TerminalSize: Hashable, Sendable {
    public let columns: Int
    public let rows: Int

    /// Of the terminal behind the descriptor; 80 by 24 when it does not say.
    public static func of(descriptor: Int32) -> TerminalSize {
        var size = winsize()
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }
}
