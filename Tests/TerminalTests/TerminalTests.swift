import Inference
import Terminal
import Testing

@Suite struct TerminalTests {
    @Test func `sizes are read as people write them`() {
        #expect(ByteCount.parse("512") == 512)
        #expect(ByteCount.parse("8GiB") == 8 << 30)
        #expect(ByteCount.parse("1.5g") == 3 << 29)
        #expect(ByteCount.parse("64 MB") == 64 << 20)
        for wrong in ["", "x", "-1", "0", "5 apples", "1e400", "nan", "99999999999T", "1.2.3"] {
            #expect(ByteCount.parse(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `sizes are written with one digit`() {
        #expect(ByteCount.text(0) == "0 B")
        #expect(ByteCount.text(1023) == "1023 B")
        #expect(ByteCount.text(1536) == "1.5 KiB")
        #expect(ByteCount.text(8 << 30) == "8.0 GiB")
    }

    @Test func `numbers are rounded to the digits`() {
        #expect(Number.text(3.14159, fractionDigits: 2) == "3.14")
        #expect(Number.text(-0.04, fractionDigits: 1) == "0.0")
        #expect(Number.text(9.96, fractionDigits: 1) == "10.0")
        #expect(Number.text(7, fractionDigits: 0) == "7")
        #expect(Number.text(.nan, fractionDigits: 1) == "-")
    }

    @Test func `columns are as wide as their widest cell`() {
        var table = Table([("NAME", .left), ("SIZE", .right)])
        table.add(["a", "1"])
        table.add(["longer", "100000"])
        #expect(table.text() == "NAME      SIZE\n------  ------\na            1\nlonger  100000")
    }

    @Test func `the bar of one worker says what it does, how far it is and how fast`() {
        var bar = LoadingBar(nowSeconds: 10)
        let progress = LoadProgress(activity: .packing, doneByteCount: 1 << 30, totalByteCount: 4 << 30)
        let line = bar.line(for: progress, layerCount: 40, nowSeconds: 12)
        #expect(line.label == "packing 40 layers")
        #expect(line.detail == "1.0 GiB of 4.0 GiB, 512.0 MiB/s")
        #expect(line.fraction == 0.25)
    }

    private func status(_ loads: [(LoadProgress?, Double)]) -> ClusterStatus {
        ClusterStatus(
            state: .loading, reason: nil, epoch: Epoch(term: 1, plan: 1),
            model: ModelDescription(
                id: "m", name: "m", fingerprint: "", systemFingerprint: "", contextLength: 1, vocabularySize: 1,
                layerCount: 2, parameterCount: 0, endOfSequenceTokens: [], tokenizerHash: "", createdSeconds: 0,
                card: nil),
            workers: loads.enumerated().map { index, load in
                WorkerStatus(
                    id: NodeID("worker-\(index)"), address: "", processID: 0, state: .loading,
                    layers: LayerRange(first: index, end: index + 1), threadCount: 1, memoryLimitByteCount: 0,
                    memoryByteCount: 0, loadedFraction: load.1, load: load.0, tokensPerSecond: 0, busyFraction: 0.5,
                    bubbleFraction: 0.125,
                    detail: nil)
            },
            runningRequestCount: 0, waitingRequestCount: 0, completedRequestCount: 0, generatedTokenCount: 0,
            uptimeSeconds: 0)
    }

    @Test func `the bar of a cluster adds its workers up, also those that are done`() {
        func load(_ activity: LoadProgress.Activity, _ done: Int) -> LoadProgress {
            LoadProgress(activity: activity, doneByteCount: done, totalByteCount: 1000)
        }
        var bar = LoadingBar(nowSeconds: 0)
        #expect(bar.line(for: status([(nil, 0), (nil, 0)]), nowSeconds: 1).label == "loading 2 layers for 2 workers")
        let both = status([(load(.readingCache, 500), 0.5), (load(.packing, 100), 0.1)])
        #expect(bar.line(for: both, nowSeconds: 1).label == "packing 2 layers for 2 workers")
        #expect(bar.line(for: both, nowSeconds: 1).fraction == 0.3)
        // The second is ready and says nothing any more.
        let one = bar.line(for: status([(load(.readingCache, 700), 0.7), (nil, 1)]), nowSeconds: 1)
        #expect(one.label == "reading 2 layers from the cache for 2 workers" && one.fraction == 0.85)
        #expect(status([(load(.readingCache, 700), 0.7)]).table().contains("reading cache 70%"))
        var busy = both
        busy.scheduling = SchedulingActivity(
            pageCount: 100, usedPageCount: 30, cachedPageCount: 50, lookedUpTokenCount: 800, hitTokenCount: 200,
            preemptionCount: 3, stepCount: 40, rowCount: 600, microBatchCount: 2,
            turnaround: LatencySummary(
                count: 39, medianMicroseconds: 120, p99Microseconds: 1900, mostMicroseconds: 12_000))
        #expect(busy.table().contains("KV pages: 100, 30 in use, 50 cached, 20 free; prefix cache: 200 of 800 tokens"))
        #expect(busy.table().contains("found (25.0%); 3 preemptions"))
        #expect(busy.table().contains("result to next step: median 0.12 ms, p99 1.90 ms, most 12.00 ms"))
        let lines = both.table().split(separator: "\n")
        #expect(lines.contains { $0.hasSuffix(" BUSY  BUBBLES") } && lines.last?.hasSuffix(" 50.0%    12.5%") == true)
    }

    @Test func `a narrow terminal gets the columns that fit`() throws {
        var cluster = status([(nil, 1), (nil, 1)])
        cluster.workers[0].address = "10.0.0.1:7071"
        func widest(_ text: String) -> Int { text.split(separator: "\n").dropFirst(4).map(\.count).max() ?? 0 }
        let whole = cluster.table()
        #expect(whole == cluster.table(columns: 200))
        for columns in [100, 80, 60, 40] {
            let table = cluster.table(columns: columns)
            #expect(widest(table) <= columns && table.contains("WORKER") && table.contains("LAYERS"), "\(table)")
        }
        #expect(cluster.table(columns: 80).contains("BUSY") && !cluster.table(columns: 80).contains("PID"))
    }

    @Test func `a cluster in one line names who is lost`() {
        var cluster = status([(nil, 1), (nil, 1)])
        cluster.workers[1].state = .lost
        cluster.reason = "worker-1 is\ngone"
        let line = cluster.summary(tokensPerSecond: 12.34)
        #expect(line.contains("12.3 tokens/s; worker-1 lost; worker-1 is gone") && line.contains("0 of 2 workers"))
    }

    @Test func `the pace is what came between two looks`() {
        var meter = PaceMeter()
        let start = ContinuousClock.now
        #expect(meter.tokensPerSecond(100, at: start) == 0)
        #expect(meter.tokensPerSecond(150, at: start + .seconds(2)) == 25)
        #expect(meter.tokensPerSecond(10, at: start + .seconds(3)) == 0)
        #expect(meter.tokensPerSecond(20, at: start + .seconds(4)) == 10)
    }
}
