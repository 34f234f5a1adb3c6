import Checkpoint
import Host
import Inference
import Kernels

@testable import Phi

/// A model with random weights that depend on a seed and on each matrix's place, not on how the model is split.
struct SyntheticModel: Sendable {
    var configuration: ModelConfiguration
    let format: WeightFormat
    let seed: UInt64

    /// - Parameters:
    ///   - format: of all matrices; F32, Q8_0 or Q4_K.
    ///   - window: sliding window; nil for none.
    ///   - original: positions before the long regime begins; nil for plain rotary embedding.
    init(format: WeightFormat, layerCount: Int = 4, window: Int? = nil, original: Int? = nil, seed: UInt64 = 7) {
        self.format = format
        self.seed = seed
        let rotary = 24
        configuration = ModelConfiguration(
            architecture: .phi3, vocabularySize: 288, hiddenSize: 256, layerCount: layerCount, headCount: 8,
            kvHeadCount: 2, headDimension: 32, feedForwardSize: 512, rmsNormEpsilon: 1e-5, ropeTheta: 10000,
            rotaryDimension: rotary, slidingWindow: window, contextLength: 2048,
            originalContextLength: original ?? 2048,
            longRope: original.map { _ in
                LongRope(
                    shortFactors: (0..<rotary / 2).map { 1 + 0.1 * Float($0) },
                    longFactors: (0..<rotary / 2).map { 1 + 1.7 * Float($0) }, attentionFactor: 1.19)
            },
            tiedEmbeddings: false, beginOfSequenceID: nil, endOfSequenceIDs: [], addsBeginOfSequence: false)
    }

    /// The stage of a range of layers.
    func stage(_ layers: LayerRange) throws -> StageModel {
        let c = configuration
        let decoderLayers = try (layers.first..<layers.end).map { layer in
            DecoderLayer(
                attentionNorm: try vector(c.hiddenSize, place: 10 * layer + 100),
                queryKeyValue: try matrix(c.qkvRowCount, c.hiddenSize, place: 10 * layer + 101),
                attentionOutput: try matrix(c.hiddenSize, c.queryWidth, place: 10 * layer + 102),
                feedForwardNorm: try vector(c.hiddenSize, place: 10 * layer + 103),
                gateUp: try matrix(2 * c.feedForwardSize, c.hiddenSize, place: 10 * layer + 104),
                down: try matrix(c.hiddenSize, c.feedForwardSize, place: 10 * layer + 105))
        }
        let table = bytes(c.vocabularySize, c.hiddenSize, place: 1)
        let buffer = try HugeBuffer(byteCount: table.count)
        // As many bytes as the buffer was made for.
        unsafe buffer.unsafeBytes.copyBytes(from: table)
        let embedding = TokenEmbedding.table(
            try EmbeddingTable(format: format, columns: c.hiddenSize, rowCount: c.vocabularySize, buffer: buffer))
        let output = try (
            norm: vector(c.hiddenSize, place: 2), head: matrix(c.vocabularySize, c.hiddenSize, place: 3)
        )
        return try StageModel(
            configuration: c, layers: layers, decoderLayers: decoderLayers,
            embedding: layers.first == 0 ? embedding : nil, output: layers.end == c.layerCount ? output : nil,
            weightByteCount: 0)
    }

    /// A pipeline over all layers.
    func pipeline(_ shape: PipelineShape) throws -> TestPipeline {
        try TestPipeline(shape, configuration: configuration) { layers, _ in try stage(layers) }
    }

    /// Token ids that mean nothing.
    func tokens(_ count: Int, salt: UInt64 = 0) -> [Int32] {
        var random = SplitMix(seed: seed &+ 99 &+ salt)
        return (0..<count).map { _ in Int32(random.next() % UInt64(configuration.vocabularySize)) }
    }

    private func vector(_ count: Int, place: Int) throws -> LayerRows {
        var random = SplitMix(seed: seed &+ UInt64(place) &* 1_000_003)
        let row = try LayerRows.allocated(rowCount: 1, columnCount: count)
        for column in 0..<count { row[0, column] = 0.5 + random.unit() }
        return row
    }

    private func matrix(_ rows: Int, _ columns: Int, place: Int) throws -> PackedMatrix {
        let data = bytes(rows, columns, place: place)
        return try unsafe data.withUnsafeBytes { source in
            try unsafe PackedMatrix(
                format: format, columns: columns, sources: [MatrixSource(rows: rows, bytes: source)])
        }
    }

    private func bytes(_ rows: Int, _ columns: Int, place: Int) -> [UInt8] {
        var random = SplitMix(seed: seed &+ UInt64(place) &* 1_000_003)
        if format == .f32 {
            return (0..<rows * columns).flatMap { _ -> [UInt8] in
                let bits = (0.22 * (random.unit() - 0.5)).bitPattern
                return (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            }
        }
        let blockCount = rows * columns / format.blockSize
        var data = (0..<blockCount * format.blockByteCount).map { _ in UInt8(truncatingIfNeeded: random.next() >> 24) }
        // Ordinary scales; whatever else a block holds may be anything.
        let scales: [(offset: Int, value: Float16)] =
            format == .q8x0 ? [(0, 0.001)] : [(0, 0.0003), (2, 0.002)]
        for block in 0..<blockCount {
            for scale in scales {
                let at = block * format.blockByteCount + scale.offset
                data[at] = UInt8(truncatingIfNeeded: scale.value.bitPattern)
                data[at + 1] = UInt8(scale.value.bitPattern >> 8)
            }
        }
        return data
    }
}

/// SplitMix64: the same numbers from the same seed everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in [0, 1) with 24 bits, whatever the standard library's own way may be.
    mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }
}
