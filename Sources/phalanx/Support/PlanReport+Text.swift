import Cluster
import Inference
import Terminal

extension PlanReport {
    /// The report for people.
    func text() -> String {
        var lines = [
            "\(model): \(layerCount) layers, context \(contextLength), keys and values in \(kvType)", "",
            table().text(),
            "",
        ]
        if !spares.isEmpty {
            let names = spares.prefix(8).joined(separator: ", ")
            lines.append("without layers: \(names)\(spares.count > 8 ? " and \(spares.count - 8) more" : "")")
        }
        lines.append(line("1 stream", singleStream))
        let groups = microBatchCount == 1 ? "together" : "in \(microBatchCount) groups"
        if streamCount > 1 { lines.append(line("\(streamCount) streams \(groups)", manyStreams)) }
        if let prompt { lines.append(line("a long prompt", prompt)) }
        if let kvPositionCapacity {
            lines.append("memory for keys and values: up to \(kvPositionCapacity) positions")
        }
        lines.append(fewer.reason)
        if let fewerForMany { lines.append(fewerForMany.reason) }
        if let replicas { lines += text(replicas) }
        lines += notes.map { "note: \($0)" }
        return lines.joined(separator: "\n")
    }

    private func table() -> Table {
        var table = Table([
            ("WORKER", .left), ("THREADS", .right), ("LAYERS", .left), ("WEIGHTS", .right), ("KV", .right),
            ("MEMORY", .right), ("LIMIT", .right), ("MS/TOKEN", .right),
        ])
        for stage in stages {
            table.add([
                stage.worker, stage.threads.map { "\($0)" } ?? "-", "\(stage.layers) (\(stage.layers.count))",
                ByteCount.text(stage.weightByteCount), ByteCount.text(stage.kvByteCount),
                ByteCount.text(stage.memoryByteCount), ByteCount.text(stage.memoryLimitByteCount),
                Number.text(stage.stepMilliseconds, fractionDigits: 2),
            ])
        }
        return table
    }

    private func text(_ replicas: Replicas) -> [String] {
        let shown = replicas.pipelines.prefix(8).map { pipeline in
            let stages = pipeline.stages.prefix(6).map { "\($0.worker) \($0.layers)" }.joined(separator: ", ")
            let more = pipeline.stages.count > 6 ? " and \(pipeline.stages.count - 6) more" : ""
            let speed = Number.text(pipeline.singleStreamTokensPerSecond, fractionDigits: 1)
            return "  \(stages)\(more): \(speed) tokens/s for 1 stream"
        }
        let left = replicas.pipelines.count - shown.count
        let many = Number.text(replicas.tokensPerSecond, fractionDigits: 1)
        let one = Number.text(replicas.onePipelineTokensPerSecond, fractionDigits: 1)
        return [
            "\(replicas.pipelines.count) whole pipelines side by side would do about \(many) tokens/s with up to "
                + "\(replicas.streamLimit) streams in each, one pipeline about \(one); a cluster of these machines builds "
                + "them unless it is given --replicas 1:"
        ] + shown + (left > 0 ? ["  and \(left) more"] : [])
    }

    private func line(_ what: String, _ prediction: Prediction) -> String {
        "\(what): \(Number.text(prediction.tokensPerSecond, fractionDigits: 1)) tokens/s, limited by \(prediction.limit)"
    }
}

extension PlanReport.Prediction {
    init(_ rate: Forecast.Rate) {
        tokensPerSecond = rate.tokensPerSecond
        limit =
            switch rate.limit {
            case .reading(let node): "reading weights on \(node)"
            case .multiplying(let node): "multiplying on \(node)"
            case .attending(let node): "reading keys and values on \(node)"
            case .link(let one, let other): "the link from \(one) to \(other)"
            case .roundTrip(let seconds):
                "the way through all stages (\(Number.text(seconds * 1000, fractionDigits: 2)) ms of it on links)"
            }
    }
}

extension PlanReport.Alternative {
    init(_ comparison: FewerMachines) {
        switch comparison.verdict {
        case .single:
            self.init(isFaster: false, "one machine holds everything: fewer there cannot be")
        case .memory:
            self.init(
                isFaster: false,
                "fewer machines are too few: only all of these have the memory for weights and KV pages")
        case .slower(let placement, let forecast):
            let speed = Number.text(forecast.singleStream.tokensPerSecond, fractionDigits: 1)
            self.init(
                isFaster: false,
                "fewer machines would not be faster for one stream: \(Self.names(placement)) would do "
                    + "\(speed) tokens/s", placement, forecast)
        case .faster(let placement, let forecast, let reason):
            let speed = Number.text(forecast.singleStream.tokensPerSecond, fractionDigits: 1)
            let cause =
                switch reason {
                case .links(let seconds):
                    "since the links take \(Number.text(seconds * 1000, fractionDigits: 2)) ms more of each token"
                case .slowWorker(let node, let seconds):
                    "since \(node) is slow: a token takes \(Number.text(seconds * 1000, fractionDigits: 2)) ms longer"
                }
            self.init(
                isFaster: true,
                "fewer machines would be faster for one stream: \(Self.names(placement)) would do "
                    + "\(speed) tokens/s, \(cause)", placement, forecast)
        }
    }

    /// Nil unless the placement with fewer stages is faster for many streams.
    init?(_ fewer: Placement, than placement: Placement, forecast: Forecast, own: Forecast) {
        let rate = forecast.manyStreams.rate.tokensPerSecond
        guard fewer.stages.count < placement.stages.count, rate > own.manyStreams.rate.tokensPerSecond * 1.005 else {
            return nil
        }
        self.init(
            isFaster: true,
            "fewer machines would be faster for \(forecast.manyStreams.streamCount) streams, too: "
                + "\(Self.names(fewer)) would do \(Number.text(rate, fractionDigits: 1)) tokens/s", fewer, forecast)
    }

    private init(isFaster: Bool, _ reason: String, _ placement: Placement? = nil, _ forecast: Forecast? = nil) {
        self.isFaster = isFaster
        self.reason = reason
        workers = placement?.stages.map(\.node.rawValue)
        singleStreamTokensPerSecond = forecast?.singleStream.tokensPerSecond
        manyStreamsTokensPerSecond = forecast?.manyStreams.rate.tokensPerSecond
    }

    private static func names(_ placement: Placement) -> String {
        let names = placement.stages.map(\.node.rawValue)
        guard names.count > 1 else { return "\(names.joined()) alone" }
        let more = names.count > 6 ? " and \(names.count - 6) more" : ""
        return names.prefix(6).joined(separator: ", ") + more
    }
}
