/// A set of scalars, as a pattern's character classes describe it.
struct ScalarSet: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case digit, word, space

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .digit: scalar.properties.generalCategory == .decimalNumber
            case .word: TextFolding.isWord(scalar)
            case .space: scalar.properties.isWhitespace
            }
        }
    }

    struct Member: Hashable, Sendable {
        let kind: Kind
        let isNegated: Bool
    }

    var ranges: [ClosedRange<UInt32>] = []
    var members: [Member] = []
    var isNegated = false
    var ignoresCase = false

    /// Any scalar but the end of a line.
    static let any = ScalarSet(ranges: [10...10, 13...13], isNegated: true)

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var isMember = holds(scalar)
        if !isMember, ignoresCase {
            let properties = scalar.properties
            isMember = [properties.lowercaseMapping, properties.uppercaseMapping].contains { mapping in
                mapping.unicodeScalars.count == 1 && mapping.unicodeScalars.first.map(holds) ?? false
            }
        }
        return isMember != isNegated
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) }
            || members.contains { $0.kind.contains(scalar) != $0.isNegated }
    }
}
