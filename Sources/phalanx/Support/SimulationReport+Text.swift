import Inference
import Simulator
import Terminal

extension SimulationReport {
    /// The report for people.
    func text(modelName: String) -> String {
        var table = Table([
            ("WORKER", .left), ("LAYERS", .left), ("STEPS", .right), ("ROWS/STEP", .right), ("BUSY", .right),
        ])
        for stage in stages {
            table.add([
                stage.worker.rawValue, "\(stage.layers) (\(stage.layers.count))", "\(stage.stepCount)",
                Number.text(stage.meanRowCount, fractionDigits: 1), Self.percent(stage.busyFraction),
            ])
        }
        var lines = [
            "\(modelName): \(requestCount) requests in \(Number.text(seconds, fractionDigits: 1)) s of virtual time",
            "",
            table.text(), "",
            "\(Number.text(tokensPerSecond, fractionDigits: 1)) tokens/s; efficiency \(Self.percent(efficiency))",
            "\(promptTokenCount) prompt tokens (\(cachedTokenCount) cached), \(answerTokenCount) answer tokens",
        ]
        if let firstToken { lines.append("to the first token: \(Self.text(firstToken))") }
        if let gap { lines.append("from token to token: \(Self.text(gap))") }
        if preemptionCount > 0 {
            lines.append(
                "\(preemptionCount) sequences were computed again, since KV pages ran out; more memory or a lower "
                    + "--max-running helps")
        }
        if refusalCount > 0 {
            lines.append("\(refusalCount) times a request was sent away for a while, since too many waited")
        }
        return lines.joined(separator: "\n")
    }

    private static func percent(_ fraction: Double) -> String { Number.text(fraction * 100, fractionDigits: 1) + "%" }

    private static func text(_ distribution: Distribution) -> String {
        "median \(Number.text(distribution.p50Milliseconds, fractionDigits: 1)) ms, 99% below "
            + "\(Number.text(distribution.p99Milliseconds, fractionDigits: 1)) ms"
    }
}
