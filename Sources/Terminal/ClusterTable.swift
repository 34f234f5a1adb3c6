public import Inference

extension ClusterStatus {
    /// What a narrow terminal does without, the first to go first.
    private static let dispensable = ["PID", "LIMIT", "ADDRESS", "THREADS", "MEMORY", "TOKENS/S", "BUBBLES", "REPLICA"]

    /// The cluster as a table for people: a line on the whole, then one per worker.
    ///
    /// - Parameter columns: the width that there is: columns that do not fit are left out. Nil for any.
    public func table(columns: Int? = nil) -> String {
        var table = Table([
            ("WORKER", .left), ("ADDRESS", .left), ("PID", .right), ("STATE", .left), ("REPLICA", .right),
            ("LAYERS", .left), ("THREADS", .right), ("MEMORY", .right), ("LIMIT", .right), ("TOKENS/S", .right),
            ("BUSY", .right), ("BUBBLES", .right),
        ])
        for worker in workers {
            table.add([
                worker.id.rawValue, worker.address, String(worker.processID), worker.stateText,
                worker.replica.map { "\($0)" } ?? "-", worker.layers.map { "\($0) (\($0.count))" } ?? "none",
                String(worker.threadCount),
                ByteCount.text(worker.memoryByteCount), ByteCount.text(worker.memoryLimitByteCount),
                Number.text(worker.tokensPerSecond, fractionDigits: 1),
                Number.text(worker.busyFraction * 100, fractionDigits: 1) + "%",
                Number.text(worker.bubbleFraction * 100, fractionDigits: 1) + "%",
            ])
        }
        var lines = [
            "\(model.id): \(model.layerCount) layers, context \(model.contextLength), \(state.rawValue), \(epoch)",
            "requests: \(runningRequestCount) running, \(waitingRequestCount) waiting, "
                + "\(completedRequestCount) done; \(generatedTokenCount) tokens generated",
        ]
        lines += scheduling.lines
        if let reason { lines.append(reason) }
        lines.append("")
        // With one pipeline its number says nothing.
        let hidden: Set<String> = Set(workers.compactMap(\.replica)).count > 1 ? [] : ["REPLICA"]
        var dropped = Self.dispensable[..<0]
        func width(_ text: String) -> Int { text.split(separator: "\n").map(\.count).max() ?? 0 }
        while let columns, dropped.count < Self.dispensable.count,
            width(table.dropping(hidden.union(dropped)).text()) > columns
        {
            dropped = Self.dispensable[...dropped.endIndex]
        }
        lines.append(table.dropping(hidden.union(dropped)).text())
        for worker in workers {
            if let detail = worker.detail { lines.append("\(worker.id): \(detail)") }
        }
        return lines.joined(separator: "\n")
    }
}

extension SchedulingActivity {
    /// Pages and cache, steps and the time between them.
    fileprivate var lines: [String] {
        let freeCount = pageCount - usedPageCount - cachedPageCount
        let hits = lookedUpTokenCount > 0 ? Double(hitTokenCount) / Double(lookedUpTokenCount) * 100 : 0
        func milliseconds(_ microseconds: Double) -> String {
            Number.text(microseconds / 1000, fractionDigits: 2) + " ms"
        }
        return [
            "KV pages: \(pageCount), \(usedPageCount) in use, \(cachedPageCount) cached, \(freeCount) free; prefix cache: "
                + "\(hitTokenCount) of \(lookedUpTokenCount) tokens found (\(Number.text(hits, fractionDigits: 1))%); "
                + "\(preemptionCount) preemptions",
            "steps: \(stepCount) with \(rowCount) rows, \(microBatchCount) micro-batches; result to next step: median "
                + "\(milliseconds(turnaround.medianMicroseconds)), p99 \(milliseconds(turnaround.p99Microseconds)), "
                + "most \(milliseconds(turnaround.mostMicroseconds))",
        ]
    }
}

extension WorkerStatus {
    fileprivate var stateText: String {
        guard state == .loading else { return state.rawValue }
        let activity =
            switch load?.activity {
            case .packing: "packing"
            case .readingCache: "reading cache"
            case .comparing: "comparing with cache"
            case .hashing: "model is hashed"
            case .fetching: "fetching"
            case nil: "loading"
            }
        return "\(activity) \(Int(loadedFraction * 100))%"
    }
}

extension ClusterStatus {
    /// The cluster in one line.
    public func summary(tokensPerSecond: Double) -> String {
        let ready = workers.count { $0.state == .ready && $0.layers != nil }
        var parts = [
            "\(state.rawValue), \(epoch)", "\(ready) of \(workers.count) workers serve",
            "\(runningRequestCount) running, \(waitingRequestCount) waiting, \(completedRequestCount) done",
            "\(Number.text(tokensPerSecond, fractionDigits: 1)) tokens/s",
        ]
        for worker in workers where worker.state == .lost || worker.state == .failed {
            parts.append("\(worker.id) \(worker.state.rawValue)")
        }
        if let reason { parts.append(reason) }
        return PrintableText.of(parts.joined(separator: "; ")).replacing("\n", with: " ")
    }
}

/// How fast tokens come, from their count at the latest looks.
public struct PaceMeter {
    private var last: (count: Int, time: ContinuousClock.Instant)?

    public init() {}

    /// Tokens per second since the look before; 0 at the first, and when the count began anew.
    public mutating func tokensPerSecond(_ count: Int, at time: ContinuousClock.Instant) -> Double {
        defer { last = (count, time) }
        guard let last, count >= last.count, time > last.time else { return 0 }
        return Double(count - last.count) / ((time - last.time) / .seconds(1))
    }
}
