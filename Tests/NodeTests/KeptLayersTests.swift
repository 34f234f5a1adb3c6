import Foundation
import Inference
import Scheduling
import TestSupport
import Testing

@testable import CoordinatorNode

/// Workers keep in memory what they have loaded.
@Suite struct KeptLayersTests {
    private let layerCount: Int
    private let record = LogRecord()

    init() throws { layerCount = try ExactnessTests.layerCount(DemoModelFile.url.path) }

    /// What the log must say of a load: the parts of `layers` that those of `before` have, and the rest.
    private func source(of layers: Range<Int>, after before: Range<Int>?) -> String {
        func parts(_ layers: Range<Int>) -> Set<Int> {
            Set(layers).union(layers.lowerBound == 0 ? [-1] : []).union(layers.upperBound == layerCount ? [-2] : [])
        }
        let wanted = parts(layers)
        let kept = wanted.intersection(before.map(parts) ?? []).count
        if kept == wanted.count { return "memory" }
        return kept == 0 ? "checkpoint" : "memory (\(kept) parts), checkpoint (\(wanted.count - kept) parts)"
    }

    @Test func `survivors of a lost worker load only the layers that they lack`() async throws {
        var cluster = TestCluster(modelPath: DemoModelFile.url.path, workerCount: 3)
        cluster.split = [1, layerCount - 2, 1]
        cluster.record = record
        let request = GenerationRequest(
            id: RequestID("kept"), prompt: ExactnessTests.prompt(count: 40, below: 1000), maxTokens: 200,
            sampling: SamplingParameters(temperature: 0.8), seed: 3, ignoreEndOfSequence: true)
        let expected = try await TestCluster(modelPath: cluster.modelPath).run { try await $0.answer(request) }
        try await cluster.runElastic { running in
            let coordinator = running.coordinator
            let answering = Task { try await coordinator.answer(request) }
            while await coordinator.router.generatedTokenCount < 20 { try await Task.sleep(for: .milliseconds(1)) }
            let middle = try #require(try await coordinator.status().workers.dropFirst().first)
            running.kill(try #require(Int(middle.id.rawValue.dropFirst("worker-".count))))
            #expect(try await answering.value.ids == expected.ids)

            var held: [String: Range<Int>] = [:]
            var keptCount = 0
            for entry in record.entries(of: "Loaded the layers") {
                let worker = try #require(entry.metadata["worker"])
                let bounds = try #require(entry.metadata["layers"]).matches(of: #/\d+/#).compactMap { Int($0.output) }
                let layers = try #require(bounds.first)..<(try #require(bounds.last)) + 1
                #expect(entry.metadata["from"] == source(of: layers, after: held[worker]), "\(worker): \(layers)")
                keptCount += entry.metadata["from"]?.hasPrefix("memory") == true ? 1 : 0
                held[worker] = layers
            }
            #expect(held.count == 3 && keptCount == 2, "both survivors had something to keep")
        }
    }
}
