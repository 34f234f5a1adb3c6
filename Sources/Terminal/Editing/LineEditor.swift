import Synchronization

/// Reads lines from a terminal with the keys that shells have: arrows, history, search, words, pasted text.
public final class LineEditor: Sendable {
    public enum Outcome: Hashable, Sendable {
        case line(String)
        /// Ctrl-C; whether something had been typed.
        case interrupted(hadText: Bool)
        /// Ctrl-D on an empty line, or the terminal is gone.
        case ended
    }

    private struct State {
        var history: LineHistory
        var decoder = KeyDecoder()
        /// Bytes that are read and not yet looked at.
        var waiting: ArraySlice<UInt8> = []
        var buffer = LineBuffer()
        /// The line of the history that is shown; nil for one of its own.
        var place: Int?
        /// What was typed before the history was looked through.
        var own = ""
        var cursorRow = 0
    }

    private let terminal: RawTerminal
    private let state: Mutex<State>
    private static let maxWaitingByteCount = 64 << 10

    public init(terminal: RawTerminal, history: LineHistory) {
        self.terminal = terminal
        state = Mutex(State(history: history))
    }

    /// Reads a line. Blocks, so it belongs on a thread of its own; the terminal must be entered.
    ///
    /// - Parameter onHistoryFailure: told why the line could not be added to the history's file.
    public func read(prompt: String, onHistoryFailure: (any Error) -> Void) -> Outcome {
        state.withLock { state in
            state.buffer = LineBuffer()
            state.place = nil
            state.cursorRow = 0
            draw(&state, prompt)
            while let key = nextKey(&state) {
                if let outcome = handle(key, &state, prompt) {
                    finish(&state, prompt)
                    if case .line(let line) = outcome {
                        do {
                            try state.history.add(line)
                        } catch {
                            onHistoryFailure(error)
                        }
                    }
                    return outcome
                }
            }
            finish(&state, prompt)
            return .ended
        }
    }

    /// Watches for Ctrl-C while something else is shown. Blocks until it comes or the terminal goes (true), or `isDone`
    /// holds (false).
    ///
    /// What else is typed meanwhile goes into the next line.
    public func waitForInterrupt(isDone: () -> Bool) -> Bool {
        state.withLock { state in
            while !isDone() {
                if let interrupt = state.waiting.lastIndex(of: 0x03) {
                    // What was typed before it is stopped with the answer.
                    state.waiting = state.waiting[(interrupt + 1)...]
                    return true
                }
                switch terminal.read(timeoutMilliseconds: 50) {
                case .bytes(let bytes):
                    let hasRoom = state.waiting.count < Self.maxWaitingByteCount
                    if hasRoom || bytes.contains(0x03) { state.waiting += bytes }
                case .nothingYet: break
                case .end: return true
                }
            }
            return false
        }
    }

    /// Waits for a key; nil when the terminal is gone.
    private func nextKey(_ state: inout State) -> Key? {
        while true {
            if let byte = state.waiting.popFirst() {
                if let key = state.decoder.take(byte) { return key }
                continue
            }
            // An escape character alone is a key when nothing follows it soon.
            switch terminal.read(timeoutMilliseconds: state.decoder.isUndecided ? 50 : -1) {
            case .bytes(let bytes): state.waiting = bytes[...]
            case .nothingYet: if let key = state.decoder.decide() { return key }
            case .end: return nil
            }
        }
    }

    /// Does what a key says; returns how the line ends when it does.
    private func handle(_ key: Key, _ state: inout State, _ prompt: String) -> Outcome? {
        switch key {
        case .enter: return .line(state.buffer.text)
        case .interrupt: return .interrupted(hadText: !state.buffer.isEmpty)
        case .endOfInput where state.buffer.isEmpty: return .ended
        case .endOfInput: _ = state.buffer.apply(.delete)
        case .suspend:
            finish(&state, prompt)
            terminal.suspend()
            state.cursorRow = 0
        case .redraw:
            terminal.show("\u{1B}[H\u{1B}[2J")
            state.cursorRow = 0
        case .search: return search(&state, prompt)
        case .up: if !state.buffer.apply(.up) { recall(&state, by: -1) }
        case .down: if !state.buffer.apply(.down) { recall(&state, by: 1) }
        default: _ = state.buffer.apply(key)
        }
        // Keys that are already here come first: a paste is drawn once.
        if state.waiting.isEmpty { draw(&state, prompt) }
        return nil
    }

    /// Shows an older line, or a newer one; behind the newest is what was typed.
    private func recall(_ state: inout State, by step: Int) {
        let lines = state.history.lines
        let place = (state.place ?? lines.count) + step
        guard (0...lines.count).contains(place), step < 0 || state.place != nil else { return }
        if state.place == nil { state.own = state.buffer.text }
        state.place = place < lines.count ? place : nil
        state.buffer.replace(with: place < lines.count ? lines[place] : state.own)
    }

    /// Looks for what is typed in older lines (Ctrl-R again: in still older ones) until another key takes the line found.
    private func search(_ state: inout State, _ prompt: String) -> Outcome? {
        let lines = state.history.lines
        let before = state.buffer
        var wanted = ""
        var place = lines.count
        func find(below limit: Int) {
            guard let found = lines[..<limit].lastIndex(where: { $0.contains(wanted) }) else { return }
            place = found
            state.buffer.replace(with: lines[found])
        }
        while true {
            draw(&state, "(search \"\(wanted)\") ")
            guard let key = nextKey(&state) else { return .ended }
            switch key {
            case .text(let text):
                wanted += text
                find(below: min(place + 1, lines.count))
            case .backspace:
                wanted = String(wanted.dropLast())
                find(below: lines.count)
            case .search: find(below: place)
            case .interrupt, .escape:
                if key == .interrupt { state.buffer = before }
                draw(&state, prompt)
                return nil
            default:
                state.place = place < lines.count ? place : nil
                return handle(key, &state, prompt)
            }
        }
    }

    /// Draws the line over what was drawn before.
    private func draw(_ state: inout State, _ prompt: String) {
        let size = terminal.size
        let layout = LineLayout(
            state.buffer, prompt: prompt, indent: String(repeating: " ", count: PrintableText.width(of: prompt)),
            columns: size.columns, maxRowCount: size.rows)
        var text = "\r" + (state.cursorRow > 0 ? "\u{1B}[\(state.cursorRow)A" : "") + "\u{1B}[J"
        text += layout.rows.joined(separator: "\r\n") + "\r"
        let below = layout.rows.count - 1 - layout.cursorRow
        if below > 0 { text += "\u{1B}[\(below)A" }
        if layout.cursorColumn > 0 { text += "\u{1B}[\(layout.cursorColumn)C" }
        terminal.show(text)
        state.cursorRow = layout.cursorRow
    }

    /// Leaves the line as it is and goes below it.
    private func finish(_ state: inout State, _ prompt: String) {
        var end = state.buffer
        while end.apply(.down) {}
        _ = end.apply(.end)
        state.buffer = end
        draw(&state, prompt)
        terminal.show("\r\n")
    }
}
