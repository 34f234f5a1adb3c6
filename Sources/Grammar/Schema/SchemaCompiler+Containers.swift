extension SchemaCompiler {
    // MARK: Objects

    mutating func compile(object keywords: SchemaKeywords) throws(GrammarError) -> String {
        let required = Set(try keywords.strings("required"))
        var properties: [(key: String, schema: SchemaValue)] = []
        for member in try keywords.members("properties") {
            // What must not be there is left out.
            if member.value == .bool(false) {
                guard !required.contains(member.key) else {
                    throw keywords.failure("the property '\(member.key)' is required and forbidden")
                }
                continue
            }
            properties.append((member.key, member.value))
        }
        let named = try keywords.members("properties").map(\.key)
        var known = Set(named)
        let additional = keywords["additionalProperties"]
        for key in try keywords.strings("required") where known.insert(key).inserted {
            guard additional != .bool(false) else {
                throw keywords.failure("the property '\(key)' is required but 'additionalProperties' forbids it")
            }
            properties.append((key, additional ?? .bool(true)))
        }
        let least = try keywords.count("minProperties") ?? 0
        guard required.count >= least else {
            throw keywords.failure("'minProperties' beyond the required properties is not supported")
        }
        let most = try keywords.count("maxProperties")
        if let most, most < properties.count {
            throw keywords.failure("'maxProperties' below the number of properties is not supported")
        }
        var extra: String?
        switch additional {
        case .bool(true)?: extra = text.basic(.value)
        case .bool(false)?: break
        case let schema?: extra = try compile(schema, at: "\(keywords.path)/additionalProperties")
        // Without any, an object is free; with some, nothing else is written.
        case nil: if named.isEmpty && properties.isEmpty { extra = text.basic(.value) }
        }
        return try object(
            properties: properties, required: required, extra: extra, names: named,
            extraCount: most.map { $0 - properties.count }, path: keywords.path)
    }

    private mutating func object(
        properties: [(key: String, schema: SchemaValue)], required: Set<String>, extra: String?, names: [String],
        extraCount: Int?, path: String
    ) throws(GrammarError) -> String {
        let space = text.basic(.space)
        var pairs: [String] = []
        for property in properties {
            let escaped = property.key.replacing("~", with: "~0").replacing("/", with: "~1")
            let value = try compile(property.schema, at: "\(path)/properties/\(escaped)")
            pairs.append(
                text.define("\(GrammarText.literal(SchemaValue.string(property.key).json + ":")) \(space) \(value)"))
        }
        // What may follow a first member, and what may come while there is none: from the last property to the first.
        var later = ""
        var first: String?
        if let extra, extraCount != 0 {
            let key = try extraKey(except: names + properties.map(\.key), path: path)
            let pair = text.define("\(key) \":\" \(space) \(extra)")
            let count = extraCount.map { "{0,\($0)}" } ?? "*"
            later = text.define("(\",\" \(space) \(pair))\(count)")
            let rest = extraCount.map { "{0,\($0 - 1)}" } ?? "*"
            first = text.define("\(pair) (\",\" \(space) \(pair))\(rest)")
        }
        var mayBeEmpty = true
        for (property, pair) in zip(properties, pairs).reversed() {
            let begun = "\(pair) \(later)"
            if required.contains(property.key) {
                first = text.define(begun)
                mayBeEmpty = false
                later = text.define("\",\" \(space) \(pair) \(later)")
            } else {
                first = text.define(first.map { "\(begun) | \($0)" } ?? begun)
                later = text.define("(\",\" \(space) \(pair))? \(later)")
            }
        }
        guard let first else { return text.define("\"{\" \(space) \"}\"") }
        return text.define(
            mayBeEmpty ? "\"{\" \(space) (\(first) \(space))? \"}\"" : "\"{\" \(space) \(first) \(space) \"}\"")
    }

    /// A key that is none of these names. It has no escapes, so that it cannot be one of them in disguise.
    private mutating func extraKey(except names: [String], path: String) throws(GrammarError) -> String {
        guard !names.isEmpty else { return text.basic(.string) }
        if let long = names.first(where: { $0.unicodeScalars.count > 256 }) {
            throw GrammarError(
                "schema at '\(path)': 'additionalProperties' next to a property whose name is longer than 256 characters "
                    + "('\(long.prefix(32))...') is not supported")
        }
        let any = text.define(GrammarText.characterClass(PatternTranslator.plain) + "*")
        let rule = try keyRule(names.map { Array($0.unicodeScalars.map(\.value))[...] }, any: any, path: path)
        return text.define("\"\\\"\" \(rule) \"\\\"\"")
    }

    /// The rest of a key that begins like these names and is none of them.
    private mutating func keyRule(
        _ rests: [ArraySlice<UInt32>], any: String, path: String
    ) throws(GrammarError) -> String {
        guard !text.isTooLarge else {
            throw GrammarError("schema at '\(path)': too many properties next to 'additionalProperties'")
        }
        let next = Dictionary(grouping: rests.filter { !$0.isEmpty }) { $0[$0.startIndex] }
        let others = PatternTranslator.plain.intersection(ScalarSet(next.keys.map { $0...$0 }).complement)
        var ways = ["\(GrammarText.characterClass(others)) \(any)"]
        if !rests.contains([]) { ways.append("\"\"") }
        for (scalar, rests) in next.sorted(by: { $0.key < $1.key }) where PatternTranslator.plain.contains(scalar) {
            let rest = try keyRule(rests.map { $0.dropFirst() }, any: any, path: path)
            ways.append("\(GrammarText.characterClass(ScalarSet([scalar...scalar]))) \(rest)")
        }
        return text.define(ways.joined(separator: " | "))
    }

    // MARK: Arrays

    mutating func compile(array keywords: SchemaKeywords) throws(GrammarError) -> String {
        var prefix: [SchemaValue] = []
        var rest: SchemaValue = .bool(true)
        switch (keywords["prefixItems"], keywords["items"]) {
        case (.array(let schemas)?, let items): (prefix, rest) = (schemas, items ?? .bool(true))
        // Drafts before 2020-12.
        case (nil, .array(let schemas)?): (prefix, rest) = (schemas, keywords["additionalItems"] ?? .bool(true))
        case (nil, let items): rest = items ?? .bool(true)
        case (_?, _): throw keywords.wrong("prefixItems", "an array of schemas")
        }
        guard prefix.count <= 1024 else { throw keywords.failure("'prefixItems' of more than 1024 schemas") }
        let least = try keywords.count("minItems") ?? 0
        var most = try keywords.count("maxItems")
        if rest == .bool(false) { most = min(most ?? prefix.count, prefix.count) }
        if let most, most < least {
            throw keywords.failure("an array of at least \(least) and at most \(most) is impossible")
        }
        if keywords["uniqueItems"] == .bool(true), most ?? 2 > 1 {
            throw keywords.failure("the keyword 'uniqueItems' is not supported")
        }
        let space = text.basic(.space)
        if most == 0 { return text.define("\"[\" \(space) \"]\"") }
        var elements: [String] = []
        for (index, schema) in prefix.prefix(most ?? .max).enumerated() {
            let parent = keywords["prefixItems"] == nil ? "items" : "prefixItems"
            elements.append(try compile(schema, at: "\(keywords.path)/\(parent)/\(index)"))
        }
        var tail: String?
        if most ?? .max > elements.count {
            let element = try compile(rest, at: "\(keywords.path)/items")
            func range(_ placeCount: Int) -> String {
                let lower = max(0, least - placeCount)
                return most.map { "{\(lower),\($0 - placeCount)}" } ?? "{\(lower),}"
            }
            if elements.isEmpty {
                let body = "\(element) (\",\" \(space) \(element))\(range(1))"
                return text.define(
                    least == 0 ? "\"[\" \(space) (\(body) \(space))? \"]\"" : "\"[\" \(space) \(body) \(space) \"]\"")
            }
            tail = text.define("(\",\" \(space) \(element))\(range(elements.count))")
        }
        for (index, element) in elements.enumerated().reversed() {
            let body = "\(index == 0 ? "" : "\",\" \(space) ")\(element) \(tail ?? "")"
            tail = text.define(index < least ? body : "(\(body))?")
        }
        return text.define("\"[\" \(space) \(tail ?? "") \(space) \"]\"")
    }
}
