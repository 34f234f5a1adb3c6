public import Checkpoint
public import Host
public import Inference
import Kernels

extension StageModel {
    /// Loads and packs the weights of a range of layers.
    ///
    /// The first layer of the model brings the embedding along, the last one norm and head. Matrices are packed by all
    /// threads of the pool; only the bytes of these layers are touched.
    ///
    /// - Parameters:
    ///   - layers: within the checkpoint's layer count.
    ///   - progress: called on this thread with (bytes done, bytes in all) of the file's tensors, from (0, total) to
    ///     (total, total); throwing from it stops the loading.
    /// - Throws: `PhiError` or `CheckpointError` naming the tensor and the cure.
    public static func load(
        _ checkpoint: Checkpoint, layers: LayerRange, pool: ComputePool,
        progress: (_ doneByteCount: Int, _ totalByteCount: Int) throws -> Void = { _, _ in }
    ) throws -> StageModel {
        let configuration = checkpoint.configuration
        guard layers.end <= configuration.layerCount else {
            throw PhiError(
                code: .model,
                message:
                    "layers \(layers) were assigned, but \(checkpoint.path) has \(configuration.layerCount) layers; "
                    + "give every node the same checkpoint")
        }
        return try withoutActuallyEscaping(progress) { progress in
            var loader = StageLoader(checkpoint: checkpoint, layers: layers, pool: pool, progress: progress)
            return try loader.load()
        }
    }
}

/// Reads tensors into packed matrices and counts what was done.
private struct StageLoader {
    let checkpoint: Checkpoint
    let layers: LayerRange
    let pool: ComputePool
    let progress: (Int, Int) throws -> Void

    private var doneByteCount = 0
    private var totalByteCount = 0
    private var weightByteCount = 0

    init(
        checkpoint: Checkpoint, layers: LayerRange, pool: ComputePool, progress: @escaping (Int, Int) throws -> Void
    ) {
        self.checkpoint = checkpoint
        self.layers = layers
        self.pool = pool
        self.progress = progress
    }

    private var isFirst: Bool { layers.first == 0 }
    private var isLast: Bool { layers.end == checkpoint.configuration.layerCount }

    mutating func load() throws -> StageModel {
        totalByteCount = (layers.first..<layers.end).reduce(0) { $0 + checkpoint.layerByteCount($1) }
        if isLast { totalByteCount += checkpoint.headByteCount }
        let sharesTable = isFirst && isLast && checkpoint.configuration.tiedEmbeddings
        if isFirst && !sharesTable { totalByteCount += checkpoint.embeddingByteCount }
        try progress(0, totalByteCount)

        var embedding = isFirst && !sharesTable ? TokenEmbedding.table(try loadTable()) : nil
        let decoderLayers = try (layers.first..<layers.end).map { try loadLayer($0) }
        var output: (norm: LayerRows, head: PackedMatrix)?
        if isLast {
            let norm = try loadVector(.outputNorm)
            let head = try loadMatrices([checkpoint.outputHead()])[0]
            output = (norm, head)
            if sharesTable { embedding = .tied(head) }
        }
        return try StageModel(
            configuration: checkpoint.configuration, layers: layers, decoderLayers: decoderLayers,
            embedding: embedding, output: output, weightByteCount: weightByteCount)
    }

    private mutating func loadLayer(_ layer: Int) throws -> DecoderLayer {
        let roles: [LayerTensor] = [.qkv, .attentionOutput, .gateUp, .ffnDown]
        let matrices = try loadMatrices(roles.map { try checkpoint.tensor(.layer(layer, $0)) })
        return DecoderLayer(
            attentionNorm: try loadVector(.layer(layer, .attentionNorm)), queryKeyValue: matrices[0],
            attentionOutput: matrices[1], feedForwardNorm: try loadVector(.layer(layer, .ffnNorm)),
            gateUp: matrices[2], down: matrices[3])
    }

    private mutating func loadTable() throws -> EmbeddingTable {
        let view = try checkpoint.tensor(.tokenEmbedding)
        guard let slice = view.slices.first, view.slices.count == 1 else {
            throw PhiError(code: .model, message: "\(checkpoint.path): the embedding table is in several pieces")
        }
        let format = try format(of: view)
        let table = try explaining(view) {
            try slice.withBytes { bytes in
                try EmbeddingTable(format: format, columns: view.columns, rowCount: view.rows, copying: bytes)
            }
        }
        try finish(view, byteCount: table.byteCount)
        return table
    }

    private mutating func loadVector(_ role: TensorRole) throws -> LayerRows {
        let view = try checkpoint.tensor(role)
        let numbers = try view.floats()
        let row = try LayerRows.allocated(rowCount: 1, columnCount: numbers.count)
        for (column, number) in numbers.enumerated() { row[0, column] = number }
        try finish(view, byteCount: LayerRows.byteCount(rowCount: 1, columnCount: numbers.count))
        return row
    }

    /// Packs matrices into one buffer: a layer's weights lie together, and waste at most one huge page.
    private mutating func loadMatrices(_ views: [TensorView]) throws -> [PackedMatrix] {
        var offsets: [Int] = []
        var byteCount = 0
        for view in views {
            offsets.append(byteCount)
            let format = try format(of: view)
            byteCount += try explaining(view) {
                try PackedMatrix.byteCount(format: format, rows: view.rows, columns: view.columns)
            }
            byteCount = (byteCount + PackedMatrix.alignment - 1) / PackedMatrix.alignment * PackedMatrix.alignment
        }
        let buffer: HugeBuffer
        do {
            buffer = try HugeBuffer(byteCount: byteCount)
        } catch {
            throw PhiError(code: .memory, message: "weights: \(error.message); give this worker fewer layers")
        }
        var matrices: [PackedMatrix] = []
        for (view, offset) in zip(views, offsets) {
            let matrix = try pack(view, into: buffer, offset: offset)
            matrices.append(matrix)
            try finish(view, byteCount: matrix.byteCount)
        }
        return matrices
    }

    private func pack(_ view: TensorView, into buffer: HugeBuffer, offset: Int) throws -> PackedMatrix {
        let format = try format(of: view)
        // The buffer has room for every matrix from its offset on and is kept by the matrix; the mapped file is kept by
        // the view during the call.
        let storage = unsafe MatrixStorage(
            bytes: UnsafeMutableRawBufferPointer(rebasing: buffer.unsafeBytes[offset...]), owner: buffer)
        return try withExtendedLifetime(view) {
            try explaining(view) {
                let sources = try view.slices.map { slice in
                    try unsafe MatrixSource(rows: slice.rows, bytes: slice.unsafeBytes())
                }
                return try PackedMatrix(
                    format: format, columns: view.columns, sources: sources, storage: storage
                ) { count, body in
                    let pieces = Pieces(count, pool: pool)
                    pool.run(pieces.pieceCount) { body(pieces[$0]) }
                }
            }
        }
    }

    private func format(of view: TensorView) throws -> WeightFormat {
        guard let type = view.type else {
            throw PhiError(
                code: .model,
                message:
                    "\(checkpoint.path): the parts of \(view.name) have different types; convert the model again with "
                    + "one type per matrix")
        }
        guard let format = WeightFormat(ggmlType: type.rawValue) else {
            throw PhiError(
                code: .model,
                message: "\(checkpoint.path): tensor \(view.name) is \(type.name), which cannot be computed")
        }
        return format
    }

    /// Puts file and tensor before the kernels' own words.
    private func explaining<Result>(_ view: TensorView, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as KernelsError {
            throw PhiError(code: .model, message: "\(checkpoint.path): tensor \(view.name): \(error.message)")
        } catch let error as HostError {
            throw PhiError(code: .memory, message: "\(checkpoint.path): tensor \(view.name): \(error.message)")
        }
    }

    /// Counts a tensor as done; its pages of the file are not needed any more.
    private mutating func finish(_ view: TensorView, byteCount: Int) throws {
        view.adviseDontNeed()
        doneByteCount += view.byteCount
        weightByteCount += byteCount
        try progress(doneByteCount, totalByteCount)
    }
}
