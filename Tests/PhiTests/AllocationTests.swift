import Glibc
import Host
import Inference
import Kernels
import Synchronization
import Testing

@testable import Phi

/// In steady state a decode step allocates nothing in the compute path.
struct AllocationTests {
    @Test func `a decode step allocates nothing`() async {
        // In a process of its own: the count must see no other test's allocations.
        await #expect(processExitsWith: .success) {
            for threadCount in [1, 2] {
                let counted = try AllocationTests.allocationsOfDecoding(threadCount: threadCount, stepCount: 100)
                try #require(counted.control > 0)
                try #require(counted.steady == 0)
            }
        }
    }

    /// Counts heap objects in warm decode steps of two sequences, and in something that must allocate.
    static func allocationsOfDecoding(threadCount: Int, stepCount: Int) throws -> (steady: Int, control: Int) {
        let model = SyntheticModel(format: .q8x0, layerCount: 2)
        guard let layers = LayerRange(first: 0, end: 2) else { return (0, 0) }
        let stage = try model.stage(layers)
        let pool = try ComputePool(threadCount: threadCount)
        let cache = try KVCache(format: .f16, layers: layers, headCount: 2, headSize: 32, pageCount: 16)
        let forward = try ForwardPass(
            shape: stage.shape, rotary: stage.rotary, layers: stage.decoderLayers, cache: cache, maxRowCount: 8,
            pool: pool)
        guard let output = stage.output, let embedding = stage.embedding else { return (0, 0) }
        let head = try OutputHead(
            norm: output.norm, matrix: output.head, epsilon: 1e-5, maxRowCount: 8, pool: pool)
        let tables = try (0..<2).map { index in
            let table = PageTable(capacity: 32)
            let pages = (0..<8).map { PageID(UInt32($0 * 2 + index)) }
            try table.assign(
                PageAssignment(firstLogicalPage: 0, pages: pages), pageCount: 16, sequence: SequenceID(1))
            return table
        }
        let parameters = [
            SamplingParameters(temperature: 0), SamplingParameters(temperature: 0.9, topK: 40, topP: 0.9),
        ]
        var samplers = parameters.map { parameters in
            Sampler(
                SequenceAdmission(
                    sequence: SequenceID(1), prompt: [], generated: [], sampling: parameters, seed: 3, choice: 0,
                    logprobCount: nil, promptLogprobCount: nil), vocabularyLimit: 288)
        }
        var workspace = SamplerWorkspace(vocabularyLimit: 288)
        var batch = ForwardBatch(maxRowCount: 8, tileRowCount: 4)
        var tokens: [Int32] = [5, 9]
        let outputRows = [0, 1]
        var steady = 0
        for position in 0..<20 + stepCount {
            if position == 20 { AllocationCounter.start() }
            batch.removeAll()
            for index in 0..<2 {
                batch.append(rowCount: 1, firstPosition: position, regime: .short, pageTable: tables[index])
                embedding.look(up: tokens[index], into: forward.hidden.rows(index..<index + 1))
            }
            forward.run(batch, layers: stage.decoderLayers) { _ in }
            head.compute(outputRows[...], of: forward.hidden)
            for index in 0..<2 {
                tokens[index] = samplers[index].sample(
                    head.logits.rows(index..<index + 1), position: position + 1, workspace: &workspace)
            }
        }
        steady = AllocationCounter.stop()
        AllocationCounter.start()
        let object = PageTable(capacity: tokens.count)
        let control = AllocationCounter.stop()
        withExtendedLifetime(object) {}
        return (steady, control)
    }
}

/// Counts Swift heap allocations of the whole process through the runtime's own hook, `_swift_allocObject`.
///
/// The C kernels have no allocation of their own. For one process that does nothing else: an exit test.
enum AllocationCounter {
    typealias Allocate = @convention(c) (UnsafeRawPointer?, Int, Int) -> UnsafeMutableRawPointer?

    private static let count = Atomic<Int>(0)
    nonisolated(unsafe) private static var original: Allocate?
    nonisolated(unsafe) private static var flag: UnsafeMutablePointer<UInt8>?

    /// The runtime's variable that holds its allocation function, for tools to replace.
    private static var hook: UnsafeMutablePointer<Allocate?>? {
        unsafe dlsym(nil, "_swift_allocObject")?.assumingMemoryBound(to: Optional<Allocate>.self)
    }

    static func start() {
        count.store(0, ordering: .relaxed)
        guard let hook = unsafe hook else { return }
        unsafe original = unsafe hook.pointee
        unsafe flag = unsafe dlsym(
            nil, "_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly")?
            .assumingMemoryBound(to: UInt8.self)
        unsafe hook.pointee = { metadata, size, alignment in
            // The runtime has just raised this flag; while it is up, retaining would change registers.
            unsafe AllocationCounter.flag?.pointee = 0
            AllocationCounter.count.add(1, ordering: .relaxed)
            return unsafe AllocationCounter.original?(metadata, size, alignment)
        }
    }

    /// Allocations since `start`; restores the runtime's function.
    static func stop() -> Int {
        if let hook = unsafe hook { unsafe hook.pointee = unsafe original }
        return count.load(ordering: .relaxed)
    }
}
