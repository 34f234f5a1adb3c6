import Foundation

/// A terminal whose whole content is drawn again and again, until it gets back what it showed before.
public final class LiveScreen: Sendable {
    private static let descriptor: Int32 = 1

    /// Nil when the standard output is no terminal, or one that cannot move its cursor.
    public init?(environment: [String: String]) {
        guard isatty(Self.descriptor) == 1, environment["TERM"] != "dumb" else { return nil }
    }

    public var size: TerminalSize { TerminalSize.of(descriptor: Self.descriptor) }

    /// Puts what is shown aside and hides the cursor.
    public func open() { write("\u{1B}[?1049h\u{1B}[?25l") }

    /// Shows the lines, cut to the terminal's width and height.
    public func draw(_ lines: [String]) {
        let size = size
        let shown = lines.prefix(size.rows).map { PrintableText.clipped($0, columns: size.columns) + "\u{1B}[K" }
        write("\u{1B}[H" + shown.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// Shows again what was shown before `open`.
    public func close() { write("\u{1B}[?25h\u{1B}[?1049l") }

    private func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
