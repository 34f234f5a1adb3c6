import Foundation
public import Tokenization

extension Checkpoint {
    /// The tokenizer that came with the checkpoint: GGUF metadata, `tokenizer.json`, or `tokenizer.model`.
    ///
    /// Its `endOfSequenceIDs` are those of `configuration` together with its own.
    /// - Throws: `CheckpointError` when there is none or it cannot be used.
    public func tokenizerDefinition() throws(CheckpointError) -> TokenizerDefinition {
        var definition: TokenizerDefinition
        switch source {
        case .gguf(let tensors):
            // A GGUF source always has at least the file that was named.
            guard let gguf = tensors.files.first else { throw noTokenizer() }
            definition = try Self.tokenizer(gguf)
        case .huggingFace(_, let directory): definition = try tokenizer(in: directory)
        }
        let ids = Set(definition.endOfSequenceIDs).union(configuration.endOfSequenceIDs.map { Int32($0) })
        definition.endOfSequenceIDs = ids.sorted()
        return definition
    }

    private static func tokenizer(_ gguf: GGUFFile) throws(CheckpointError) -> TokenizerDefinition {
        guard let model = try gguf.string("tokenizer.ggml.model"),
            let tokens = try gguf.byteStrings("tokenizer.ggml.tokens")
        else {
            throw .missing(gguf.path, "'tokenizer.ggml.model' or '.tokens' is missing; convert the model again")
        }
        let metadata = GGUFTokenizerMetadata(
            model: model,
            pre: try gguf.string("tokenizer.ggml.pre"),
            tokens: tokens,
            scores: try gguf.floats("tokenizer.ggml.scores"),
            types: try gguf.integers("tokenizer.ggml.token_type")?.map { Int32(clamping: $0) },
            merges: try gguf.byteStrings("tokenizer.ggml.merges"),
            bosID: try gguf.tokenID("tokenizer.ggml.bos_token_id"),
            eosID: try gguf.tokenID("tokenizer.ggml.eos_token_id"),
            unknownID: try gguf.tokenID("tokenizer.ggml.unknown_token_id"),
            padID: try gguf.tokenID("tokenizer.ggml.padding_token_id"),
            eotID: try gguf.tokenID("tokenizer.ggml.eot_token_id"),
            addsBOS: try gguf.bool("tokenizer.ggml.add_bos_token"),
            addsEOS: try gguf.bool("tokenizer.ggml.add_eos_token"),
            addsSpacePrefix: try gguf.bool("tokenizer.ggml.add_space_prefix"),
            chatTemplate: try gguf.string("tokenizer.chat_template"))
        do throws(TokenizerError) {
            return try TokenizerDefinition(gguf: metadata)
        } catch {
            throw CheckpointError(error, path: gguf.path)
        }
    }

    private func tokenizer(in directory: URL) throws(CheckpointError) -> TokenizerDefinition {
        func bytes(_ name: String, limit: Int = TextFile.configurationLimit) throws(CheckpointError) -> [UInt8]? {
            try TextFile.data(directory.appendingPathComponent(name).path, limit: limit).map { [UInt8]($0) }
        }
        let settings = try bytes("tokenizer_config.json")
        let special = try bytes("special_tokens_map.json")
        let added = try bytes("added_tokens.json")
        let template = try bytes("chat_template.jinja")
        do {
            if let json = try bytes("tokenizer.json", limit: TextFile.tokenizerLimit) {
                return try TokenizerDefinition(
                    tokenizerJSON: json, tokenizerConfig: settings, specialTokensMap: special, addedTokens: added,
                    chatTemplate: template)
            }
            if let model = try bytes("tokenizer.model", limit: TextFile.tokenizerLimit) {
                return try TokenizerDefinition(
                    sentencePieceModel: model, tokenizerConfig: settings, specialTokensMap: special,
                    addedTokens: added, chatTemplate: template)
            }
        } catch let error as CheckpointError {
            throw error
        } catch let error as TokenizerError {
            throw CheckpointError(error, path: directory.path)
        } catch {
            throw CheckpointError(code: .unreadable, path: directory.path, message: "\(error)")
        }
        throw noTokenizer()
    }

    private func noTokenizer() -> CheckpointError {
        .missing(path, "has neither tokenizer.json nor tokenizer.model; fetch the complete model")
    }
}

extension CheckpointError {
    init(_ error: TokenizerError, path: String) {
        self.init(code: error.code == .unsupported ? .unsupported : .malformed, path: path, message: error.message)
    }
}
