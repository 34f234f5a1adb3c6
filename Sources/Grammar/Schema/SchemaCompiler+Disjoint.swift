extension SchemaCompiler {
    /// Checks that no value can be valid under two of the schemas of `oneOf`, which a grammar could not find out.
    mutating func checkDisjoint(_ schemas: [SchemaValue], _ base: SchemaKeywords) throws(GrammarError) {
        var parts: [SchemaKeywords] = []
        for (index, schema) in schemas.enumerated() {
            let part = try flatten(schema, at: "\(base.path)/oneOf/\(index)", depth: 0)
            parts.append(try merge(base, part))
        }
        for first in parts.indices {
            for second in parts.indices.dropFirst(first + 1) {
                if try areDisjoint(parts[first], parts[second]) { continue }
                throw base.failure(
                    "a value could be valid under both 'oneOf/\(first)' and 'oneOf/\(second)'; make them differ in their "
                        + "types or in a required property with 'const', or use 'anyOf'")
            }
        }
    }

    private mutating func areDisjoint(_ a: SchemaKeywords, _ b: SchemaKeywords) throws(GrammarError) -> Bool {
        try spend((1 + a.entryCount) * (1 + b.entryCount), at: a.path)
        let mine = try a.literals()
        let theirs = try b.literals()
        if let mine, let theirs { return !mine.contains { value in theirs.contains { $0.equals(value) } } }
        guard let kinds = try kinds(a), let others = try self.kinds(b) else { return false }
        let shared = kinds.intersection(others)
        if shared.isEmpty { return true }
        guard shared == ["object"], mine == nil, theirs == nil else { return false }
        if try differInProperty(a, b) { return true }
        guard try neverValid(a, under: b) else { return false }
        return try neverValid(b, under: a)
    }

    /// The kinds of values that a schema allows: integers are numbers here.
    private func kinds(_ keywords: SchemaKeywords) throws(GrammarError) -> Set<String>? {
        let names: [String]
        if let literals = try keywords.literals() {
            names = literals.map(\.typeName)
        } else if keywords["type"] != nil, let types = try keywords.types() {
            names = types
        } else {
            return nil
        }
        return Set(names.map { $0 == "integer" ? "number" : $0 })
    }

    /// Whether a property that both require has values of its own in each.
    private mutating func differInProperty(_ a: SchemaKeywords, _ b: SchemaKeywords) throws(GrammarError) -> Bool {
        let required = Set(try a.strings("required")).intersection(try b.strings("required"))
        let others = try b.members("properties")
        for member in try a.members("properties") where required.contains(member.key) {
            guard let other = others.first(where: { $0.key == member.key }) else { continue }
            let first = try flatten(member.value, at: "\(a.path)/properties/\(member.key)", depth: 1).literals()
            let second = try flatten(other.value, at: "\(b.path)/properties/\(member.key)", depth: 1).literals()
            guard let first, let second else { continue }
            try spend(first.count * second.count, at: a.path)
            if !first.contains(where: { value in second.contains { $0.equals(value) } }) { return true }
        }
        return false
    }

    /// Whether the objects that are written for one schema lack what another requires, or have what it forbids.
    private func neverValid(_ a: SchemaKeywords, under b: SchemaKeywords) throws(GrammarError) -> Bool {
        let properties = Set(try a.members("properties").map(\.key)).union(try a.strings("required"))
        let isClosed = !properties.isEmpty && [nil, .bool(false)].contains(a["additionalProperties"])
        if isClosed, try b.strings("required").contains(where: { !properties.contains($0) }) { return true }
        let allowed = Set(try b.members("properties").map(\.key))
        let required = try a.strings("required")
        return b["additionalProperties"] == .bool(false) && required.contains { !allowed.contains($0) }
    }
}
