/// Sizes in bytes as people write and read them.
public enum ByteCount {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB"]

    /// "7.2 MiB".
    public static func text(_ byteCount: Int) -> String {
        var value = Double(byteCount)
        var unit = 0
        while abs(value) >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(byteCount) B" : "\(Number.text(value, fractionDigits: 1)) \(units[unit])"
    }

    /// Reads "8GiB", "8G", "512 MiB", "1.5g" or plain bytes; nil for anything else, zero and below included.
    public static func parse(_ text: String) -> Int? {
        let trimmed = text.filter { $0 != " " }.lowercased()
        let digits = trimmed.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(digits), value.isFinite else { return nil }
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 0x1p10, "kb": 0x1p10, "kib": 0x1p10, "m": 0x1p20, "mb": 0x1p20, "mib": 0x1p20,
            "g": 0x1p30, "gb": 0x1p30, "gib": 0x1p30, "t": 0x1p40, "tb": 0x1p40, "tib": 0x1p40,
        ]
        guard let factor = factors[String(trimmed.dropFirst(digits.count))] else { return nil }
        let byteCount = value * factor
        guard byteCount >= 1, byteCount < 0x1p62 else { return nil }
        return Int(byteCount)
    }
}

/// Numbers for tables.
public enum Number {
    /// With so many digits after the point, as `%.*f` writes it.
    public static func text(_ value: Double, fractionDigits: Int) -> String {
        guard value.isFinite, abs(value) < 0x1p53 else { return "-" }
        var scale = 1.0
        for _ in 0..<fractionDigits { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 0x1p53 else { return "-" }
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let whole = Int(scaled)
        guard fractionDigits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(whole % Int(scale))
        let zeros = String(repeating: "0", count: fractionDigits - fraction.count)
        return "\(sign)\(whole / Int(scale)).\(zeros)\(fraction)"
    }
}
