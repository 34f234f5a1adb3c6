/// The printable stand-ins that GPT-2's vocabulary files use for bytes.
///
/// Source: `bytes_to_unicode` of OpenAI's GPT-2. Bytes that print stand for themselves, the 68 others for U+0100 up.
public enum ByteAlphabet {
    private static let byteOfScalar: [UInt16] = {
        var table = [UInt16](repeating: 0x100, count: 0x144)
        var next = 0x100
        for byte in 0..<256 {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: table[byte] = UInt16(byte)
            default:
                table[next] = UInt16(byte)
                next += 1
            }
        }
        return table
    }()

    private static let textOfByte: [[UInt8]] = {
        var table = [[UInt8]](repeating: [], count: 256)
        for (scalar, byte) in byteOfScalar.enumerated() where byte < 0x100 {
            table[Int(byte)] = UnicodeScalar(UInt32(scalar)).map { Array(String(Character($0)).utf8) } ?? []
        }
        return table
    }()

    /// The text (UTF-8) that stands for bytes.
    public static func text(of bytes: some Sequence<UInt8>) -> [UInt8] { bytes.flatMap { textOfByte[Int($0)] } }

    /// The bytes that `text` (UTF-8) stands for, or nil when it holds a character outside the alphabet.
    static func bytes(of text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            let (scalar, byteCount) = UTF8Scalar.decode(text, at: position)
            guard scalar < byteOfScalar.count, byteOfScalar[Int(scalar)] < 0x100 else { return nil }
            result.append(UInt8(byteOfScalar[Int(scalar)]))
            position += byteCount
        }
        return result
    }
}
