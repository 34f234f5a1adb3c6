import Foundation
import Synchronization

/// A bar on the error output: redrawn in place on a terminal, a line now and then elsewhere.
public final class ProgressBar: Sendable {
    private struct State {
        var drawn = ""
        var lastFraction = -1.0
        var lastLabel = ""
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let isSilent: Bool

    /// - Parameter isSilent: Shows nothing: the error output is for programs.
    public init(isSilent: Bool = false) {
        isTerminal = isatty(2) == 1
        self.isSilent = isSilent
    }

    /// Shows how far something is: `fraction` from 0 to 1. A detail may change all the time.
    public func show(_ label: String, detail: String = "", fraction: Double) {
        guard !isSilent else { return }
        let fraction = min(max(fraction.isFinite ? fraction : 0, 0), 1)
        state.withLock { state in
            if isTerminal {
                let width = 30
                let filled = Int(fraction * Double(width))
                let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
                let text = "[\(bar)] \(Int(fraction * 100))% \(label)\(detail.isEmpty ? "" : ": \(detail)")"
                guard text != state.drawn else { return }
                Self.write("\r\u{1B}[K" + text)
                state.drawn = text
            } else if label != state.lastLabel || fraction >= state.lastFraction + 0.25 {
                Self.write("\(label): \(Int(fraction * 100))%\(detail.isEmpty ? "" : " (\(detail))")\n")
                state.lastFraction = fraction
                state.lastLabel = label
            }
        }
    }

    /// Removes the bar from the terminal, so that other output can follow.
    public func clear() {
        state.withLock { state in
            if isTerminal, !state.drawn.isEmpty { Self.write("\r\u{1B}[K") }
            state.drawn = ""
        }
    }

    private static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
