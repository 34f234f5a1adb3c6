@testable import Grammar

/// Whether a text matches a grammar, by the definition: every node is tried at every place.
struct SlowMatcher {
    private let syntax: GrammarSyntax

    init(_ syntax: GrammarSyntax) { self.syntax = syntax }

    func matches(_ text: [UInt8]) -> Bool {
        var run = Run(syntax: syntax, text: text)
        return run.ends(.rule(syntax.root), at: 0).contains(text.count)
    }

    private struct Run {
        struct Place: Hashable {
            let rule: Int
            let offset: Int
        }

        let syntax: GrammarSyntax
        let text: [UInt8]
        var known: [Place: Set<Int>] = [:]

        /// Where the node's texts that begin at `offset` may end.
        mutating func ends(_ node: GrammarNode, at offset: Int) -> Set<Int> {
            switch node {
            case .literal(let bytes): return text[offset...].starts(with: bytes) ? [offset + bytes.count] : []
            case .scalars(let set):
                for length in 1...4 where offset + length <= text.count {
                    let part = text[offset..<offset + length]
                    guard let string = String(validating: part, as: UTF8.self), string.unicodeScalars.count == 1,
                        let scalar = string.unicodeScalars.first
                    else { continue }
                    return set.contains(scalar.value) ? [offset + length] : []
                }
                return []
            case .rule(let index):
                let place = Place(rule: index, offset: offset)
                if let found = known[place] { return found }
                let found = ends(syntax.rules[index], at: offset)
                known[place] = found
                return found
            case .sequence(let nodes):
                var places: Set<Int> = [offset]
                for node in nodes { places = reduce(places, node) }
                return places
            case .choice(let nodes):
                var places: Set<Int> = []
                for node in nodes { places.formUnion(ends(node, at: offset)) }
                return places
            case .repetition(let node, let least, let most):
                var places: Set<Int> = [offset]
                for _ in 0..<least { places = reduce(places, node) }
                var all = places
                var count = least
                while count < most ?? .max, !places.isEmpty {
                    places = reduce(places, node).subtracting(all)
                    all.formUnion(places)
                    count += 1
                }
                return all
            }
        }

        private mutating func reduce(_ places: Set<Int>, _ node: GrammarNode) -> Set<Int> {
            var next: Set<Int> = []
            for place in places { next.formUnion(ends(node, at: place)) }
            return next
        }
    }
}
