import Checkpoint
import Foundation
import Host
import Inference
import TestSupport
import Testing

@testable import Phi

/// Golden models whose weights come from the cache compute the same bits, however they are split.
@Suite(.enabled(if: Fixtures.areHere, "\(Fixtures.reason)"))
struct PackedCacheModelTests {
    private let prompt: [Int32] = [5, 60, 300, 7, 8, 222, 41]

    private func pipeline(
        _ checkpoint: Checkpoint, split: [Int]?, cache: PackedModelCache?, summary: inout LoadSummary,
        activities: inout Set<LoadProgress.Activity>, copyingTime: Duration = .seconds(60)
    ) throws -> TestPipeline {
        var total = LoadSummary()
        var seen: Set<LoadProgress.Activity> = []
        defer {
            summary = total
            activities = seen
        }
        return try TestPipeline(
            PipelineShape(stageLayerCounts: split, threadCount: 2), configuration: checkpoint.configuration,
            vocabularyLimit: 571
        ) { layers, pool in
            var last: LoadProgress?
            let model = try StageModel.load(
                checkpoint, layers: layers, pool: pool, cache: cache, copyingTime: copyingTime
            ) { progress in
                #expect(progress.doneByteCount >= last?.doneByteCount ?? 0)
                seen.insert(progress.activity)
                last = progress
            }
            #expect(last.map { $0.doneByteCount == $0.totalByteCount } == true)
            #expect(last?.totalByteCount == model.weightByteCount)
            total.cachedPartCount += model.loading.cachedPartCount
            total.packedPartCount += model.loading.packedPartCount
            return model
        }
    }

    @Test(arguments: GoldenModel.float + GoldenModel.quantized)
    func `cached weights give the same bits, also to another split`(golden: GoldenModel) throws {
        let checkpoint = try golden.checkpoint()
        let layerCount = checkpoint.configuration.layerCount
        let directory = try TemporaryDirectory()
        let settings = PackedCache.Settings(directory: directory.url.path)
        let fingerprint = try checkpoint.fingerprint()
        var summary = LoadSummary()
        var activities: Set<LoadProgress.Activity> = []

        func answer(_ split: [Int]?, _ cache: PackedCache?) throws -> TestPipeline.Answer {
            let pipeline = try pipeline(
                checkpoint, split: split, cache: cache?.model(fingerprint), summary: &summary, activities: &activities)
            let answer = try pipeline.generate(prompt, count: 6)
            cache?.finishWriting(withinSeconds: 30)
            return answer
        }
        let plain = try answer(nil, nil)
        #expect(activities == [.packing])

        let missed = try answer(nil, PackedCache(settings))
        #expect(missed == plain && summary.cachedPartCount == 0)
        let partCount = summary.packedPartCount
        let hit = try answer(nil, PackedCache(settings))
        #expect(hit == plain && summary.cachedPartCount == partCount && summary.packedPartCount == 0)
        #expect(activities == [.readingCache])

        // While the weights are moved from the files into memory.
        var inPlace = LoadSummary()
        for _ in 0..<5 {
            let pipeline = try pipeline(
                checkpoint, split: nil, cache: PackedCache(settings).model(fingerprint), summary: &inPlace,
                activities: &activities, copyingTime: .zero)
            #expect(try pipeline.generate(prompt, count: 6) == plain)
            #expect(inPlace.cachedPartCount == partCount)
        }

        let split = try answer([1, layerCount - 1], PackedCache(settings))
        #expect(split == plain)
        // A table that both ends shared is packed for the first stage alone now; all else is there.
        let isTied = checkpoint.configuration.tiedEmbeddings
        #expect(summary.packedPartCount == (isTied ? 1 : 0) && summary.cachedPartCount == partCount)
    }
}
