/// A canonical binary form: equal definitions have equal bytes, and every length is checked before it is believed.
///
/// Little-endian: the magic `PHXT`, version 1, then the fields in the order of `encoded()`; texts and lists are led
/// by a 32-bit count, optional ids are -1 when absent.
extension TokenizerDefinition: Codable {
    private static let magic: [UInt8] = Array("PHXT".utf8)
    private static let version: UInt8 = 1

    /// The definition as bytes, to be sent and to be named by its hash.
    public func encoded() -> [UInt8] {
        var out = DefinitionWriter()
        out.bytes = Self.magic
        out.byte(Self.version)
        out.byte(model.rawValue)
        out.byte(prefixSpace.rawValue)
        out.byte(preTokenizer.rawValue)
        out.byte(flags(addsBOS, addsEOS, ignoresMerges))
        for id in [bosID, eosID, unknownID, padID] { out.int32(id ?? -1) }
        out.int32s(endOfSequenceIDs)
        out.byte(chatTemplateText == nil ? 0 : 1)
        out.text(Array((chatTemplateText ?? "").utf8))
        out.int32(Int32(pieces.count))
        for id in 0..<pieces.count {
            out.byte(types[id].rawValue)
            out.text(pieces[id])
        }
        out.int32(Int32(addedTokens.count))
        for token in addedTokens {
            out.int32(token.id)
            out.byte(
                flags(token.isSpecial, token.stripsLeft, token.stripsRight, token.isSingleWord, token.isNormalized))
            out.text(token.content)
        }
        out.int32(Int32(merges.count))
        for merge in merges {
            out.int32(merge.left)
            out.int32(merge.right)
        }
        return out.bytes
    }

    /// Reads what `encoded()` wrote; throws for anything else, without allocating more than the bytes justify.
    public init(encoded bytes: [UInt8]) throws(TokenizerError) {
        var input = DefinitionReader(bytes)
        guard try input.take(Self.magic.count).elementsEqual(Self.magic) else {
            throw input.error("it does not begin with PHXT")
        }
        let version = try input.byte()
        guard version == Self.version else {
            throw input.error("its version is \(version); this build reads version \(Self.version)")
        }
        model = try input.choice("model")
        prefixSpace = try input.choice("prefix space")
        preTokenizer = try input.choice("pre-tokenizer")
        let options = try input.flags(count: 3)
        (addsBOS, addsEOS, ignoresMerges) = (options[0], options[1], options[2])
        bosID = try input.optionalID()
        eosID = try input.optionalID()
        unknownID = try input.optionalID()
        padID = try input.optionalID()
        endOfSequenceIDs = []
        for _ in 0..<(try input.count(atMost: TokenizerLimits.endOfSequenceCount, eachAtLeast: 4)) {
            endOfSequenceIDs.append(try input.int32())
        }
        let hasTemplate = try input.flags(count: 1)[0]
        let template = try input.text(atMost: TokenizerLimits.templateByteCount)
        guard let templateText = String(validating: template, as: UTF8.self) else {
            throw input.error("its chat template is not UTF-8")
        }
        guard hasTemplate || templateText.isEmpty else { throw input.error("an absent chat template has text") }
        chatTemplateText = hasTemplate ? templateText : nil
        pieces = PieceTable()
        types = []
        for _ in 0..<(try input.count(atMost: TokenizerLimits.pieceCount, eachAtLeast: 5)) {
            types.append(try input.choice("token type"))
            try pieces.append(try input.text(atMost: TokenizerLimits.pieceByteCount))
        }
        addedTokens = []
        for _ in 0..<(try input.count(atMost: TokenizerLimits.addedTokenCount, eachAtLeast: 9)) {
            let id = try input.int32()
            let flags = try input.flags(count: 5)
            let content = Array(try input.text(atMost: TokenizerLimits.pieceByteCount))
            addedTokens.append(
                AddedToken(
                    id: id, content: content, isSpecial: flags[0], stripsLeft: flags[1], stripsRight: flags[2],
                    isSingleWord: flags[3], isNormalized: flags[4]))
        }
        merges = []
        for _ in 0..<(try input.count(atMost: TokenizerLimits.mergeCount, eachAtLeast: 8)) {
            merges.append(Merge(left: try input.int32(), right: try input.int32()))
        }
        guard input.isAtEnd else { throw input.error("bytes follow its end") }
        try validate()
    }

    /// Encodes the bytes of `encoded()` as one value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(encoded())
    }

    /// Decodes the bytes of `encoded()` from one value.
    public init(from decoder: any Decoder) throws {
        try self.init(encoded: decoder.singleValueContainer().decode([UInt8].self))
    }
}

private func flags(_ values: Bool...) -> UInt8 {
    var byte: UInt8 = 0
    for (bit, isSet) in values.enumerated() where isSet { byte |= 1 << UInt8(bit) }
    return byte
}

private struct DefinitionWriter {
    var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func int32(_ value: Int32) {
        let pattern = UInt32(bitPattern: value)
        for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: pattern >> shift)) }
    }

    mutating func int32s(_ values: [Int32]) {
        int32(Int32(values.count))
        for value in values { int32(value) }
    }

    mutating func text(_ value: some Collection<UInt8>) {
        int32(Int32(value.count))
        bytes.append(contentsOf: value)
    }
}

private struct DefinitionReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    func error(_ what: String) -> TokenizerError {
        TokenizerError(.malformed, "this is no tokenizer definition: \(what) (byte \(position) of \(bytes.count))")
    }

    mutating func take(_ count: Int) throws(TokenizerError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - position else { throw error("it ends too early") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func byte() throws(TokenizerError) -> UInt8 {
        guard position < bytes.count else { throw error("it ends too early") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func int32() throws(TokenizerError) -> Int32 {
        guard bytes.count - position >= 4 else { throw error("it ends too early") }
        var value: UInt32 = 0
        for index in 0..<4 { value |= UInt32(bytes[position + index]) << UInt32(8 * index) }
        position += 4
        return Int32(bitPattern: value)
    }

    mutating func count(atMost limit: Int, eachAtLeast size: Int) throws(TokenizerError) -> Int {
        let value = Int(try int32())
        guard value >= 0, value <= limit, value <= (bytes.count - position) / size else {
            throw error("a count of \(value) is impossible here")
        }
        return value
    }

    mutating func text(atMost limit: Int) throws(TokenizerError) -> ArraySlice<UInt8> {
        try take(try count(atMost: limit, eachAtLeast: 1))
    }

    mutating func optionalID() throws(TokenizerError) -> Int32? {
        let value = try int32()
        guard value >= -1 else { throw error("\(value) is no token id") }
        return value == -1 ? nil : value
    }

    mutating func flags(count: Int) throws(TokenizerError) -> [Bool] {
        let value = try byte()
        guard Int(value) < 1 << count else { throw error("unknown flags \(value)") }
        return (0..<count).map { value >> UInt8($0) & 1 == 1 }
    }

    mutating func choice<Value: RawRepresentable<UInt8>>(_ name: String) throws(TokenizerError) -> Value {
        let raw = try byte()
        guard let value = Value(rawValue: raw) else { throw error("\(raw) is no \(name)") }
        return value
    }
}
