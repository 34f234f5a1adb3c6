/// The parts of a SentencePiece `tokenizer.model` that matter here.
///
/// Source: `sentencepiece_model.proto` of the sentencepiece library (a proto2 message `ModelProto`).
struct SentencePieceModel {
    static let name = "tokenizer.model"

    var pieces = PieceTable()
    var scores: [Float] = []
    var types: [TokenizerDefinition.TokenType] = []
    var modelType = 1
    var unknownID = 0
    var bosID = 1
    var eosID = 2
    var padID = -1
    var hasDummyPrefix = true
    var removesExtraSpaces = true
    var escapesSpaces = true
    var hasCharacterMap = false

    init(_ bytes: [UInt8]) throws(TokenizerError) {
        guard bytes.count <= TokenizerLimits.fileByteCount else {
            throw TokenizerError(
                .limitExceeded,
                "\(Self.name) is \(bytes.count) bytes long; at most \(TokenizerLimits.fileByteCount) are accepted")
        }
        var message = ProtobufReader(bytes[...], file: Self.name)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let piece)): try readPiece(piece)
            case (2, .bytes(let trainer)): try readTrainer(trainer)
            case (3, .bytes(let normalizer)): try readNormalizer(normalizer)
            default: break
            }
        }
        guard pieces.count > 0 else {
            throw TokenizerError(.malformed, "\(Self.name) holds no pieces; is it a SentencePiece model?")
        }
    }

    private mutating func readPiece(_ bytes: ArraySlice<UInt8>) throws(TokenizerError) {
        guard pieces.count < TokenizerLimits.pieceCount else {
            throw TokenizerError(
                .limitExceeded, "\(Self.name) holds more than \(TokenizerLimits.pieceCount) pieces")
        }
        var text: ArraySlice<UInt8> = []
        var score: Float = 0
        var type: UInt64 = 1
        var message = ProtobufReader(bytes, file: Self.name)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let value)): text = value
            case (2, .fixed32(let value)): score = Float(bitPattern: value)
            case (3, .varint(let value)): type = value
            default: break
            }
        }
        guard String(validating: text, as: UTF8.self) != nil else {
            throw TokenizerError(.malformed, "\(Self.name): piece \(pieces.count) is not UTF-8")
        }
        guard let type = UInt8(exactly: type).flatMap(TokenizerDefinition.TokenType.init(rawValue:)) else {
            throw TokenizerError(.malformed, "\(Self.name): piece \(pieces.count) has the unknown type \(type)")
        }
        try pieces.append(text)
        scores.append(score)
        types.append(type)
    }

    private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws(TokenizerError) {
        var message = ProtobufReader(bytes, file: Self.name)
        while let field = try message.next() {
            guard case .varint(let value) = field.value else { continue }
            // Ids are int32: negative ones (absent) come sign-extended to 64 bits.
            let number = Int(Int32(truncatingIfNeeded: value))
            switch field.number {
            case 3: modelType = number
            case 40: unknownID = number
            case 41: bosID = number
            case 42: eosID = number
            case 43: padID = number
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) throws(TokenizerError) {
        var message = ProtobufReader(bytes, file: Self.name)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): hasCharacterMap = !map.isEmpty
            case (3, .varint(let value)): hasDummyPrefix = value != 0
            case (4, .varint(let value)): removesExtraSpaces = value != 0
            case (5, .varint(let value)): escapesSpaces = value != 0
            default: break
            }
        }
    }
}

/// Walks over the fields of one protobuf message, bounded by its bytes.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(ArraySlice<UInt8>)
    }

    private let bytes: ArraySlice<UInt8>
    private let file: String
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>, file: String) {
        self.bytes = bytes
        self.file = file
        position = bytes.startIndex
    }

    /// The next field, or nil at the end.
    mutating func next() throws(TokenizerError) -> (number: Int, value: Value)? {
        if position == bytes.endIndex { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw error("an impossible field number") }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed(8)))
        case 2:
            let count = try varint()
            guard count <= UInt64(bytes.endIndex - position) else { throw error("a field longer than the file") }
            defer { position += Int(count) }
            return (number, .bytes(bytes[position..<position + Int(count)]))
        case 5: return (number, .fixed32(UInt32(try fixed(4))))
        default: throw error("a field of an unknown kind")
        }
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < bytes.endIndex else { throw error("it ends inside a number") }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw error("a number of more than ten bytes")
    }

    private mutating func fixed(_ byteCount: Int) throws(TokenizerError) -> UInt64 {
        guard bytes.endIndex - position >= byteCount else { throw error("it ends inside a number") }
        var value: UInt64 = 0
        for offset in 0..<byteCount { value |= UInt64(bytes[position + offset]) << UInt64(8 * offset) }
        position += byteCount
        return value
    }

    private func error(_ what: String) -> TokenizerError {
        TokenizerError(.malformed, "\(file), byte \(position): \(what)")
    }
}
