/// Scalars in and out of UTF-8 bytes that are known to be valid.
enum UTF8Scalar {
    /// Appends the UTF-8 form of a scalar.
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        switch scalar {
        case 0..<0x80: bytes.append(UInt8(scalar))
        case 0x80..<0x800:
            bytes.append(UInt8(0xC0 | scalar >> 6))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            bytes.append(UInt8(0xE0 | scalar >> 12))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        default:
            bytes.append(UInt8(0xF0 | scalar >> 18))
            bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        }
    }

    /// How many bytes the scalar has that begins with `lead`.
    static func byteCount(lead: UInt8) -> Int {
        switch lead {
        case 0..<0x80: 1
        case 0x80..<0xE0: 2
        case 0xE0..<0xF0: 3
        default: 4
        }
    }

    /// The scalar at `position` of valid UTF-8, and how many bytes it has; a cut scalar at the end reads as U+FFFD.
    static func decode(_ bytes: [UInt8], at position: Int) -> (scalar: UInt32, byteCount: Int) {
        let lead = bytes[position]
        let count = byteCount(lead: lead)
        if count == 1 { return (UInt32(lead), 1) }
        guard position + count <= bytes.count else { return (0xFFFD, bytes.count - position) }
        var scalar = UInt32(lead) & (0x7F >> UInt32(count))
        for offset in 1..<count { scalar = scalar << 6 | UInt32(bytes[position + offset]) & 0x3F }
        return (scalar, count)
    }

    /// Where the scalar begins that ends before `position`.
    static func start(_ bytes: [UInt8], before position: Int) -> Int {
        var start = position - 1
        while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }
}
