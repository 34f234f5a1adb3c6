import Foundation
import Host
import TestSupport
import Testing

@testable import Checkpoint

/// A checkpoint of which only some pieces are here.
@Suite struct FetchedModelTests {
    private let fixture: PackedFixture
    private let fingerprint: String
    private let encoded: [UInt8]
    private let source: WholeWeightFiles

    init() throws {
        fixture = try PackedFixture()
        let checkpoint = try Checkpoint.open(fixture.modelPath)
        fingerprint = try checkpoint.fingerprint()
        encoded = try checkpoint.weightManifest(fingerprint: fingerprint, rememberedIn: nil)
        source = WholeWeightFiles(checkpoint)
    }

    private func model(_ cache: PackedCache? = nil) throws -> FetchedModel {
        try (cache ?? fixture.cache()).fetchedModel(manifest: encoded, fingerprint: fingerprint)
    }

    private func bytes(_ model: FetchedModel, _ index: Int) throws -> [UInt8] {
        let piece = model.manifest.pieces[index]
        return try #require(
            try source.read(
                file: piece.file, fileByteCount: model.manifest.files[piece.file].byteCount, range: piece.range))
    }

    private func fetch(_ pieces: [Int], _ model: FetchedModel) throws {
        try model.reserve(pieces)
        for index in pieces { #expect(try model.store(try bytes(model, index), as: index)) }
    }

    private func pack(_ checkpoint: Checkpoint, _ part: PackedPart) throws -> [UInt8] {
        let content = try PackedContent(checkpoint.packedPlan(of: part))
        _ = try content.pack(pool: fixture.pool)
        return content.buffer.withBytes { bytes in
            (0..<content.plan.byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
    }

    @Test func `a part that was fetched packs to the same bytes, others are never taken for zeros`() throws {
        let model = try model()
        try fetch(model.descriptionPieces, model)
        let whole = try Checkpoint.open(fixture.modelPath)
        let first = try model.open()
        #expect(first.configuration == whole.configuration)
        let pieces = try model.pieces(of: first.packedPlan(of: .layer(1)))
        #expect(throws: CheckpointError.self) { try pack(first, .layer(1)) }
        try fetch(pieces, model)
        let opened = try model.open()
        #expect(try pack(opened, .layer(1)) == pack(whole, .layer(1)))
        let error = #expect(throws: CheckpointError.self) { try pack(opened, .layer(0)) }
        #expect(error?.code == .notFetched)
        // The rest is a hole.
        let folders = FetchedModel.folders(in: fixture.cache().fetchedRoot)
        let wanted = Set(model.descriptionPieces + pieces).reduce(0) { $0 + model.manifest.pieces[$1].byteCount }
        let blockByteCount = 4096
        #expect(folders.count == 1 && folders[0].byteCount >= wanted)
        #expect(folders[0].byteCount <= wanted + 2 * blockByteCount * model.manifest.pieces.count)
        #expect(folders[0].byteCount < model.manifest.byteCount)
    }

    @Test func `bytes with another hash are not kept`() throws {
        let model = try model()
        let index = model.manifest.pieces.count - 1
        var wrong = try bytes(model, index)
        wrong[0] ^= 1
        #expect(try !model.store(wrong, as: index))
        #expect(try !model.store(Array(try bytes(model, index).dropLast()), as: index))
        #expect(try model.missing([index]) == [index])
        #expect(try model.store(try bytes(model, index), as: index))
        #expect(try model.missing([index]).isEmpty)
    }

    @Test func `the next process goes on where this one was cut, and checks what may not be on the disk`() throws {
        let all = try Array(model().manifest.pieces.indices)
        let (kept, lost) = (all[0], all[1])
        do {
            let model = try model()
            try fetch([kept, lost], model)
        }
        // As after a crash of the machine: the journal says that it is there.
        let folder = FetchedModel.folders(in: fixture.cache().fetchedRoot)[0].path
        do {
            let model = try model()
            let piece = model.manifest.pieces[lost]
            let file = try DataFile(reading: "\(folder)/files/model.gguf")
            try file.write([UInt8](repeating: 0, count: piece.byteCount), at: piece.offset)
            var checkedCount = 0
            #expect(try model.missing(all) { checkedCount += 1 } == Array(all.dropFirst()))
            #expect(checkedCount == 2)
            try fetch([lost], model)
            try model.synchronize()
        }
        var checkedCount = 0
        #expect(try model().missing(all) { checkedCount += 1 } == Array(all.dropFirst(2)))
        #expect(checkedCount == 0)
    }

    @Test func `several may fetch at once`() async throws {
        let count = try model().manifest.pieces.count
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask { try fetch(Array(0..<count), try model()) }
            }
            try await group.waitForAll()
        }
        let last = try model()
        #expect(try last.missing(Array(0..<count)).isEmpty)
        let (opened, whole) = (try last.open(), try Checkpoint.open(fixture.modelPath))
        for part in PackedFixture.parts { #expect(try pack(opened, part) == pack(whole, part)) }
    }

    @Test func `what is here can be read by others, the rest cannot`() throws {
        let model = try model()
        let last = model.manifest.pieces.count - 1
        try fetch([last], model)
        let piece = model.manifest.pieces[last]
        let size = model.manifest.files[0].byteCount
        #expect(try model.read(file: 0, fileByteCount: size, range: piece.range) == (try bytes(model, last)))
        let inner = piece.offset + 1..<piece.offset + 3
        #expect(try model.read(file: 0, fileByteCount: size, range: inner) == Array(try bytes(model, last)[1..<3]))
        #expect(try model.read(file: 0, fileByteCount: size, range: piece.offset - 1..<piece.offset + 1) == nil)
        #expect(try model.read(file: 0, fileByteCount: size - 1, range: piece.range) == nil)
        #expect(try model.read(file: 1, fileByteCount: size, range: piece.range) == nil)
        #expect(try source.read(file: 1, fileByteCount: size, range: piece.range) == nil)
        #expect(try source.read(file: 0, fileByteCount: size + 1, range: piece.range) == nil)
    }

    @Test func `a packed part needs no weights, and is known by their hashes`() throws {
        let cache = fixture.cache()
        do {
            let model = try model(cache)
            try fetch(Array(model.manifest.pieces.indices), model)
            let plan = try model.open().packedPlan(of: .layer(0))
            let packed = cache.model(fingerprint)
            #expect(!packed.holds(plan))
            let content = try PackedContent(plan)
            packed.write(content, source: try content.pack(pool: fixture.pool))
            cache.finishWriting(withinSeconds: 30)
            #expect(packed.holds(plan))
        }
        FetchedModel.remove(FetchedModel.folders(in: cache.fetchedRoot)[0].path)
        let model = try model(cache)
        try fetch(model.descriptionPieces, model)
        let plan = try model.open().packedPlan(of: .layer(0))
        let packed = cache.model(fingerprint)
        #expect(packed.holds(plan))
        #expect(
            try packed.load(plan, pool: fixture.pool, willCompare: { Issue.record("nothing to compare with") }) != nil)
        // Once it is damaged, the weights are needed after all.
        let file = try fixture.file(.layer(0))
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: file)
        #expect(try packed.load(plan, pool: fixture.pool) == nil)
        let content = try PackedContent(plan)
        let error = #expect(throws: CheckpointError.self) { try content.pack(pool: fixture.pool) }
        #expect(error?.code == .notFetched)
    }

    @Test func `without room nothing is fetched, and the cure is named`() throws {
        for cache in [fixture.cache(byteLimit: 50_000), fixture.cache(freeByteCount: 1 << 30)] {
            let model = try model(cache)
            let error = #expect(throws: HostError.self) { try model.reserve(Array(model.manifest.pieces.indices)) }
            #expect(
                error?.code == .noSpace && error?.message.contains("--cache-") == true, "\(String(describing: error))")
        }
    }

    @Test func `what nobody uses makes room for others`() throws {
        let size = try model().manifest.byteCount
        do {
            let model = try model()
            try fetch(Array(model.manifest.pieces.indices), model)
        }
        let other = try PackedFixture(seed: 7, name: "other.gguf", directory: fixture.directory)
        let checkpoint = try Checkpoint.open(other.modelPath)
        let fingerprint = try checkpoint.fingerprint()
        let encoded = try checkpoint.weightManifest(fingerprint: fingerprint, rememberedIn: nil)
        let cache = fixture.cache(byteLimit: size * 3 / 2)
        let otherModel = try cache.fetchedModel(manifest: encoded, fingerprint: fingerprint)
        try otherModel.reserve(Array(otherModel.manifest.pieces.indices))
        #expect(FetchedModel.folders(in: cache.fetchedRoot).count == 1)
        // Now it is the other one that is in use.
        #expect(throws: HostError.self) {
            let model = try model(cache)
            try model.reserve(Array(model.manifest.pieces.indices))
        }
    }

    @Test func `a sharded Hugging Face directory is fetched with the files that describe it`() throws {
        let directory = try TemporaryDirectory()
        try directory.write(
            """
            {"model_type": "phi3", "vocab_size": 32, "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 64, "original_max_position_embeddings": 64, "rope_scaling": null,
            "sliding_window": null, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "rope_theta": 10000.0, "tie_word_embeddings": false}
            """, to: "config.json")
        var shards = [SafetensorsBuilder(), SafetensorsBuilder()]
        var places: [String] = []
        func add(_ shard: Int, _ name: String, _ shape: [Int]) {
            shards[shard].floats(name, shape)
            places.append("\"\(name)\": \"\(shard).safetensors\"")
        }
        add(0, "model.embed_tokens.weight", [32, 32])
        for layer in 0..<2 {
            let prefix = "model.layers.\(layer)."
            add(layer, prefix + "input_layernorm.weight", [32])
            add(layer, prefix + "self_attn.qkv_proj.weight", [64, 32])
            add(layer, prefix + "self_attn.o_proj.weight", [32, 32])
            add(layer, prefix + "post_attention_layernorm.weight", [32])
            add(layer, prefix + "mlp.gate_up_proj.weight", [128, 32])
            add(layer, prefix + "mlp.down_proj.weight", [32, 64])
        }
        add(1, "model.norm.weight", [32])
        add(1, "lm_head.weight", [32, 32])
        for (index, shard) in shards.enumerated() {
            try directory.write(Data(shard.bytes()), to: "\(index).safetensors")
        }
        try directory.write(
            "{\"weight_map\": {\(places.joined(separator: ", "))}}", to: "model.safetensors.index.json")

        let whole = try Checkpoint.open(directory.url.path)
        let fingerprint = try whole.fingerprint()
        let encoded = try whole.weightManifest(fingerprint: fingerprint, rememberedIn: nil)
        let files = WholeWeightFiles(whole)
        let model = try fixture.cache().fetchedModel(manifest: encoded, fingerprint: fingerprint)
        func fetch(_ pieces: [Int]) throws {
            for index in pieces {
                let piece = model.manifest.pieces[index]
                let size = model.manifest.files[piece.file].byteCount
                let bytes = try #require(try files.read(file: piece.file, fileByteCount: size, range: piece.range))
                #expect(try model.store(bytes, as: index))
            }
        }
        try fetch(model.descriptionPieces)
        let plan = try model.open().packedPlan(of: .layer(1))
        try fetch(try model.pieces(of: plan))
        let opened = try model.open()
        #expect(opened.configuration == whole.configuration)
        #expect(try pack(opened, .layer(1)) == pack(whole, .layer(1)))
        #expect(throws: CheckpointError.self) { try pack(opened, .layer(0)) }
    }
}
