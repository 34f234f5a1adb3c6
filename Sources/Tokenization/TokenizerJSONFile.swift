/// The contents of a `tokenizer.json`, read but not yet understood.
struct TokenizerJSONFile {
    static let name = "tokenizer.json"

    /// The vocabulary by id; holes are empty and in `holes`.
    var pieces = PieceTable()
    var isHole: [Bool] = []
    /// The merges as texts, two by two.
    var mergeHalves = PieceTable()
    var addedTokens: [TokenizerDefinition.AddedToken] = []
    var modelType: String?
    var unknownToken: [UInt8]?
    var hasByteFallback = false
    var ignoresMerges = false
    var normalizer: JSONValue = .null
    var preTokenizer: JSONValue = .null
    var postProcessor: JSONValue = .null

    init(_ bytes: [UInt8]) throws(TokenizerError) {
        var cursor = try JSONCursor(bytes, file: Self.name)
        var file = self
        try cursor.object { (cursor, key) throws(TokenizerError) in
            switch String(decoding: key, as: UTF8.self) {
            case "model": try file.readModel(&cursor)
            case "added_tokens":
                try cursor.array { (cursor) throws(TokenizerError) in
                    let token = try JSONValue(&cursor)
                    guard let id = token["id"]?.id else { throw cursor.error("an added token without an id") }
                    guard file.addedTokens.count < TokenizerLimits.addedTokenCount else {
                        throw cursor.error("more than \(TokenizerLimits.addedTokenCount) added tokens")
                    }
                    file.addedTokens.append(try .init(id: id, flags: token, file: Self.name))
                }
            case "normalizer": file.normalizer = try JSONValue(&cursor)
            case "pre_tokenizer": file.preTokenizer = try JSONValue(&cursor)
            case "post_processor": file.postProcessor = try JSONValue(&cursor)
            default: try cursor.skip()
            }
        }
        try cursor.end()
        self = file
    }

    private mutating func readModel(_ cursor: inout JSONCursor) throws(TokenizerError) {
        var file = self
        try cursor.object { (cursor, key) throws(TokenizerError) in
            switch String(decoding: key, as: UTF8.self) {
            case "vocab":
                // A Unigram vocabulary is a list; the type says so, whichever comes first.
                if try cursor.kind() == .object { try file.readVocabulary(&cursor) } else { try cursor.skip() }
            case "merges": try file.readMerges(&cursor)
            case "type": file.modelType = try JSONValue(&cursor).text
            case "unk_token": file.unknownToken = try JSONValue(&cursor).bytes
            case "byte_fallback": file.hasByteFallback = try JSONValue(&cursor).bool ?? false
            case "ignore_merges": file.ignoresMerges = try JSONValue(&cursor).bool ?? false
            case "continuing_subword_prefix", "end_of_word_suffix":
                if let text = try JSONValue(&cursor).bytes, !text.isEmpty {
                    throw TokenizerError(
                        .unsupported,
                        "\(Self.name) has a \(String(decoding: key, as: UTF8.self)); BPE of the Phi family has none")
                }
            default: try cursor.skip()
            }
        }
        self = file
    }

    private mutating func readVocabulary(_ cursor: inout JSONCursor) throws(TokenizerError) {
        var texts = PieceTable()
        var ids: [Int] = []
        try cursor.object { (cursor, key) throws(TokenizerError) in
            try texts.append(key)
            ids.append(try cursor.id())
        }
        // A file lists its tokens by id, give or take a few; sorting is for those that do not.
        let order = ids.indices.sorted { ids[$0] < ids[$1] }
        var sorted = PieceTable()
        isHole = []
        for position in order {
            guard ids[position] >= sorted.count else {
                throw TokenizerError(.malformed, "\(Self.name): two tokens have the id \(ids[position])")
            }
            while sorted.count < ids[position] {
                try sorted.append([])
                isHole.append(true)
            }
            try sorted.append(texts[position])
            isHole.append(false)
        }
        pieces = sorted
    }

    private mutating func readMerges(_ cursor: inout JSONCursor) throws(TokenizerError) {
        var halves = PieceTable()
        try cursor.array { (cursor) throws(TokenizerError) in
            guard halves.count < 2 * TokenizerLimits.mergeCount else {
                throw cursor.error("more than \(TokenizerLimits.mergeCount) merges")
            }
            let before = halves.count
            if try cursor.kind() == .array {
                try cursor.array { (cursor) throws(TokenizerError) in
                    try halves.append(try cursor.string())
                }
            } else {
                let pair = try cursor.string()
                guard let space = pair.firstIndex(of: 0x20), !pair[(space + 1)...].contains(0x20) else {
                    throw cursor.error("a merge is two texts with one space between")
                }
                try halves.append(pair[..<space])
                try halves.append(pair[(space + 1)...])
            }
            guard halves.count == before + 2 else { throw cursor.error("a merge has two halves") }
        }
        mergeHalves = halves
    }
}

extension TokenizerJSONFile {
    /// The parts of a normalizer or pre-tokenizer, sequences taken apart.
    static func steps(_ value: JSONValue) -> [JSONValue] {
        switch value {
        case .null: []
        default:
            if value["type"]?.text == "Sequence" {
                (value["normalizers"] ?? value["pretokenizers"] ?? value["processors"] ?? .null).elements
                    .flatMap { steps($0) }
            } else {
                [value]
            }
        }
    }
}
