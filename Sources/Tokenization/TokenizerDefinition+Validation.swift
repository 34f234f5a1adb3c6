extension TokenizerDefinition {
    /// Checks everything that building a tokenizer relies on; throws what is wrong.
    func validate() throws(TokenizerError) {
        let count = pieces.count
        guard count > 0 else { throw TokenizerError(.malformed, "the vocabulary is empty") }
        guard count <= TokenizerLimits.pieceCount else {
            throw TokenizerError(
                .limitExceeded,
                "the vocabulary has \(count) entries; at most \(TokenizerLimits.pieceCount) are accepted")
        }
        guard types.count == count else {
            throw TokenizerError(.malformed, "\(types.count) token types for \(count) tokens: there must be one each")
        }
        guard merges.count <= TokenizerLimits.mergeCount else {
            throw TokenizerError(
                .limitExceeded, "\(merges.count) merges; at most \(TokenizerLimits.mergeCount) are accepted")
        }
        let ids = Int32(0)..<Int32(count)
        for (rank, merge) in merges.enumerated() {
            guard ids.contains(merge.left), ids.contains(merge.right) else {
                throw TokenizerError(.malformed, "merge \(rank) names a token outside the vocabulary of \(count)")
            }
        }
        guard addedTokens.count <= TokenizerLimits.addedTokenCount else {
            throw TokenizerError(
                .limitExceeded,
                "\(addedTokens.count) added tokens; at most \(TokenizerLimits.addedTokenCount) are accepted")
        }
        for token in addedTokens {
            guard ids.contains(token.id) else {
                throw TokenizerError(.malformed, "added token \(token.id) lies outside the vocabulary of \(count)")
            }
            guard !token.content.isEmpty, token.content.count <= TokenizerLimits.pieceByteCount else {
                throw TokenizerError(
                    .malformed,
                    "added token \(token.id) has \(token.content.count) bytes of text; 1 to "
                        + "\(TokenizerLimits.pieceByteCount) are accepted")
            }
        }
        for (name, id) in [("bos", bosID), ("eos", eosID), ("unknown", unknownID), ("padding", padID)] {
            if let id, !ids.contains(id) {
                throw TokenizerError(.malformed, "the \(name) token is \(id), outside the vocabulary of \(count)")
            }
        }
        guard endOfSequenceIDs.count <= TokenizerLimits.endOfSequenceCount else {
            throw TokenizerError(
                .limitExceeded,
                "\(endOfSequenceIDs.count) end tokens; at most \(TokenizerLimits.endOfSequenceCount) are accepted")
        }
        guard (chatTemplateText?.utf8.count ?? 0) <= TokenizerLimits.templateByteCount else {
            throw TokenizerError(
                .limitExceeded, "the chat template is longer than \(TokenizerLimits.templateByteCount) bytes")
        }
    }
}
