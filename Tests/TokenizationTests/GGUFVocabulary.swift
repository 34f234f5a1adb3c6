@testable import Tokenization

/// The `tokenizer.*` keys of a GGUF file, read just well enough for these tests.
struct GGUFVocabulary {
    private enum Value {
        case number(Int)
        case float(Float)
        case bool(Bool)
        case text([UInt8])
        case list([Value])
    }

    private let bytes: [UInt8]
    private var position = 24
    private var values: [String: Value] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 16
        let count = integer(8)
        for _ in 0..<count {
            let key = String(decoding: text(), as: UTF8.self)
            values[key] = value(kind: integer(4))
        }
    }

    var metadata: GGUFTokenizerMetadata {
        GGUFTokenizerMetadata(
            model: string("tokenizer.ggml.model") ?? "", pre: string("tokenizer.ggml.pre"),
            tokens: list("tokenizer.ggml.tokens")?.map { if case .text(let text) = $0 { text } else { [] } } ?? [],
            scores: list("tokenizer.ggml.scores")?.map { if case .float(let score) = $0 { score } else { 0 } },
            types: list("tokenizer.ggml.token_type")?.map { if case .number(let type) = $0 { Int32(type) } else { 0 } },
            bosID: number("tokenizer.ggml.bos_token_id"), eosID: number("tokenizer.ggml.eos_token_id"),
            unknownID: number("tokenizer.ggml.unknown_token_id"), padID: number("tokenizer.ggml.padding_token_id"),
            addsBOS: bool("tokenizer.ggml.add_bos_token"), addsEOS: bool("tokenizer.ggml.add_eos_token"),
            chatTemplate: string("tokenizer.chat_template"))
    }

    private func number(_ key: String) -> Int? { if case .number(let value)? = values[key] { value } else { nil } }
    private func bool(_ key: String) -> Bool? { if case .bool(let value)? = values[key] { value } else { nil } }
    private func list(_ key: String) -> [Value]? { if case .list(let value)? = values[key] { value } else { nil } }
    private func string(_ key: String) -> String? {
        if case .text(let text)? = values[key] { String(decoding: text, as: UTF8.self) } else { nil }
    }

    private mutating func integer(_ byteCount: Int) -> Int {
        defer { position += byteCount }
        return bytes[position..<position + byteCount].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private mutating func text() -> [UInt8] {
        let count = integer(8)
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    private mutating func value(kind: Int) -> Value {
        switch kind {
        case 0, 1: return .number(integer(1))
        case 2, 3: return .number(integer(2))
        case 4: return .number(integer(4))
        case 5: return .number(Int(Int32(truncatingIfNeeded: integer(4))))
        case 6: return .float(Float(bitPattern: UInt32(integer(4))))
        case 7: return .bool(integer(1) != 0)
        case 8: return .text(text())
        case 9:
            let element = integer(4)
            let count = integer(8)
            return .list((0..<count).map { _ in value(kind: element) })
        default: return .number(integer(8))
        }
    }
}
