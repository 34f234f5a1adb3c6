/// The `grpc-timeout` header: at most eight digits and a unit.
enum CallTimeout {
    /// The header's value for a timeout; rounded up, at least one microsecond.
    static func encode(_ timeout: Duration) -> String {
        let (seconds, attoseconds) = timeout.components
        guard seconds >= 0, attoseconds >= 0 else { return "1u" }
        if seconds < 100 {
            let microseconds = seconds * 1_000_000 + (attoseconds + 999_999_999_999) / 1_000_000_000_000
            return "\(max(1, min(microseconds, 99_999_999)))u"
        }
        if seconds < 100_000 {
            return "\(min(seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1, 99_999_999))m"
        }
        return "\(min(seconds + 1, 99_999_999))S"
    }

    /// The timeout that a header's value says, or nil when it is malformed.
    static func decode(_ value: String) -> Duration? {
        guard let unit = value.utf8.last else { return nil }
        let digits = value.utf8.dropLast()
        guard (1...8).contains(digits.count) else { return nil }
        var number: Int64 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return switch unit {
        case UInt8(ascii: "H"): .seconds(number * 3600)
        case UInt8(ascii: "M"): .seconds(number * 60)
        case UInt8(ascii: "S"): .seconds(number)
        case UInt8(ascii: "m"): .milliseconds(number)
        case UInt8(ascii: "u"): .microseconds(number)
        case UInt8(ascii: "n"): .nanoseconds(number)
        default: nil
        }
    }
}
