public import Inference

extension ClusterStatus {
    /// The cluster as a table for people: a line on the whole, then one per worker.
    public func table() -> String {
        var table = Table([
            ("WORKER", .left), ("ADDRESS", .left), ("PID", .right), ("STATE", .left), ("LAYERS", .left),
            ("THREADS", .right), ("MEMORY", .right), ("LIMIT", .right), ("TOKENS/S", .right), ("BUSY", .right),
            ("BUBBLES", .right),
        ])
        for worker in workers {
            table.add([
                worker.id.rawValue, worker.address, String(worker.processID), worker.stateText,
                worker.layers.map { "\($0) (\($0.count))" } ?? "none", String(worker.threadCount),
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
        lines.append(table.text())
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
            case nil: "loading"
            }
        return "\(activity) \(Int(loadedFraction * 100))%"
    }
}
