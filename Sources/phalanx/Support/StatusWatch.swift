import Foundation
import Inference
import Terminal
import UnixSignals

/// Shows the cluster again and again, until a signal ends it.
struct StatusWatch: Sendable {
    let interval: Duration
    let json: Bool
    let look: @Sendable () async throws -> ClusterStatus

    /// Returns on Ctrl-C; throws when the first look fails or nothing can be written any more.
    func run() async throws {
        let screen = json ? nil : LiveScreen(environment: ProcessInfo.processInfo.environment)
        // Before the screen is taken: then a failure is an error like any other.
        let first = try await look()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        screen?.open()
        defer { screen?.close() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await show(first, on: screen) }
            group.addTask { for await _ in signals { return } }
            try await group.next()
            group.cancelAll()
        }
    }

    private func show(_ first: ClusterStatus, on screen: LiveScreen?) async throws {
        var meter = PaceMeter()
        var last = first
        var failure: String?
        let clock = ContinuousClock()
        while !Task.isCancelled {
            let pace = failure == nil ? meter.tokensPerSecond(last.generatedTokenCount, at: clock.now) : 0
            if let screen {
                screen.draw(lines(last, pace, failure, columns: screen.size.columns))
            } else if let failure {
                note(failure)
            } else if json {
                try JSONOutput.write(last)
            } else {
                try Output.line("\(Date().formatted(.iso8601)) \(last.summary(tokensPerSecond: pace))")
            }
            try await Task.sleep(for: interval)
            do {
                last = try await look()
                failure = nil
            } catch {
                failure = PrintableText.of("\(error)")
            }
        }
    }

    private func lines(_ status: ClusterStatus, _ pace: Double, _ failure: String?, columns: Int) -> [String] {
        var lines = PrintableText.of(status.table(columns: columns)).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
        lines.insert("\(Number.text(pace, fractionDigits: 1)) tokens/s", at: min(2, lines.count))
        let time = Date().formatted(.iso8601)
        lines.append("")
        lines.append(
            failure.map { "No answer since; as it was last. \($0)" } ?? "\(time), every \(interval). Ctrl-C ends.")
        return lines
    }
}
