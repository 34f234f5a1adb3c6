/// A schema's keywords that mean something for the values, after `$ref` and `allOf` are resolved.
struct SchemaKeywords {
    private(set) var values: [String: SchemaValue] = [:]
    let path: String

    /// Keywords that describe and restrict nothing.
    static let annotations: Set<String> = [
        "$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description", "default", "examples",
        "example",
        "deprecated", "readOnly", "writeOnly", "discriminator", "strict",
    ]
    /// Keywords that are honoured, with the type that they are about.
    static let typed: [String: String] = [
        "properties": "object", "required": "object", "additionalProperties": "object", "minProperties": "object",
        "maxProperties": "object",
        "items": "array", "prefixItems": "array", "additionalItems": "array", "minItems": "array", "maxItems": "array",
        "uniqueItems": "array",
        "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
        "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number",
        "multipleOf": "number",
    ]
    static let general: Set<String> = ["type", "enum", "const", "anyOf", "oneOf"]
    static let types = ["object", "array", "string", "number", "integer", "boolean", "null"]

    init(path: String) { self.path = path }

    /// Takes an object's members but for `allOf` and `$ref`.
    init(_ members: [SchemaValue.Member], path: String) throws(GrammarError) {
        self.path = path
        for member in members {
            let key = member.key
            if Self.annotations.contains(key) || key.hasPrefix("x-") || key == "$ref" || key == "allOf" { continue }
            guard Self.general.contains(key) || Self.typed[key] != nil else {
                throw GrammarError(
                    "schema at '\(path)': the keyword '\(key.prefix(64))' is not supported; leave it out or say it otherwise"
                )
            }
            values[key] = member.value
        }
    }

    subscript(key: String) -> SchemaValue? {
        get { values[key] }
        set { values[key] = newValue }
    }

    /// Properties and listed values, which merging compares with one another.
    var entryCount: Int {
        ["properties", "required", "enum"].reduce(0) { count, key in
            switch values[key] {
            case .object(let members)?: count + members.count
            case .array(let elements)?: count + elements.count
            default: count
            }
        }
    }

    func failure(_ what: String) -> GrammarError { GrammarError("schema at '\(path)': \(what)") }

    func wrong(_ key: String, _ expected: String) -> GrammarError { failure("'\(key)' must be \(expected)") }

    /// The types that values may have; nil for all. Without `type`, those that the other keywords are about.
    func types() throws(GrammarError) -> [String]? {
        guard let type = values["type"] else {
            let types = Set(values.keys.compactMap { Self.typed[$0] })
            return types.isEmpty ? nil : Self.types.filter { types.contains($0) }
        }
        let named: [SchemaValue] = if case .array(let types) = type { types } else { [type] }
        var types: [String] = []
        for name in named {
            guard case .string(let name) = name, Self.types.contains(name) else {
                throw wrong("type", "one or several of \(Self.types.joined(separator: ", "))")
            }
            if !types.contains(name) { types.append(name) }
        }
        guard !types.isEmpty else { throw failure("'type' is empty, so no value is possible") }
        return types
    }

    /// A count that a keyword gives.
    func count(_ key: String) throws(GrammarError) -> Int? {
        guard let value = values[key] else { return nil }
        guard let number = value.number, let count = Int(exactly: number), count >= 0 else {
            throw wrong(key, "an integer that is not negative")
        }
        guard count <= GrammarLimits.repetition else {
            throw failure("'\(key)' may be at most \(GrammarLimits.repetition)")
        }
        return count
    }

    func members(_ key: String) throws(GrammarError) -> [SchemaValue.Member] {
        guard let value = values[key] else { return [] }
        guard case .object(let members) = value else { throw wrong(key, "an object") }
        return members
    }

    func strings(_ key: String) throws(GrammarError) -> [String] {
        guard let value = values[key] else { return [] }
        guard case .array(let elements) = value else { throw wrong(key, "an array of strings") }
        var strings: [String] = []
        for element in elements {
            guard case .string(let string) = element else { throw wrong(key, "an array of strings") }
            strings.append(string)
        }
        return strings
    }

    /// The values that `enum` and `const` leave; nil when neither is there.
    func literals() throws(GrammarError) -> [SchemaValue]? {
        var literals: [SchemaValue]?
        if let listed = values["enum"] {
            guard case .array(let listed) = listed else { throw wrong("enum", "an array") }
            literals = listed
        }
        if let const = values["const"] { literals = (literals ?? [const]).filter { $0.equals(const) } }
        guard var found = literals else { return nil }
        if values["type"] != nil, let types = try types() {
            found = found.filter { types.contains($0.typeName) || types.contains("number") && $0.number != nil }
        }
        guard !found.isEmpty else { throw failure("'enum', 'const' and 'type' leave no value") }
        return found
    }

    // MARK: Both of two schemas

    /// The keywords of a schema that demands what both do.
    func merged(with other: SchemaKeywords) throws(GrammarError) -> SchemaKeywords {
        var result = self
        result.values["properties"] = try mergedProperties(other)
        for (key, value) in other.values where key != "properties" {
            guard let mine = values[key] else {
                result.values[key] = value
                continue
            }
            if !mine.equals(value) { result.values[key] = try both(key, mine, value, other) }
        }
        return result
    }

    private func both(
        _ key: String, _ mine: SchemaValue, _ theirs: SchemaValue, _ other: SchemaKeywords
    ) throws(GrammarError) -> SchemaValue {
        switch key {
        case "type":
            let a = try types() ?? []
            let b = try other.types() ?? []
            let shared = Self.types.filter { type in
                a.contains(type) && b.contains(type)
                    || type == "integer"
                        && (a.contains(type) && b.contains("number") || a.contains("number") && b.contains(type))
            }
            guard !shared.isEmpty else { throw failure("'allOf' demands two types at once") }
            return .array(shared.map { .string($0) })
        case "required": return .array((try strings(key) + other.strings(key)).map { .string($0) })
        case "items", "additionalProperties":
            return .object([SchemaValue.Member(key: "allOf", value: .array([mine, theirs]))])
        case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
            return mine.number ?? 0 > theirs.number ?? 0 ? mine : theirs
        case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
            return mine.number ?? 0 < theirs.number ?? 0 ? mine : theirs
        case "uniqueItems": return .bool(true)
        case "enum":
            guard case .array(let a) = mine, case .array(let b) = theirs else { throw wrong(key, "an array") }
            return .array(a.filter { value in b.contains { $0.equals(value) } })
        default: throw failure("'allOf' gives '\(key)' twice, which is not supported")
        }
    }

    private func mergedProperties(_ other: SchemaKeywords) throws(GrammarError) -> SchemaValue? {
        let mine = try members("properties")
        let theirs = try other.members("properties")
        guard values["properties"] != nil || other.values["properties"] != nil else { return nil }
        var merged: [SchemaValue.Member] = []
        func add(_ key: String, _ schemas: [SchemaValue?]) {
            let given = schemas.compactMap { $0 }.filter { $0 != .bool(true) }
            let schema: SchemaValue =
                if given.contains(.bool(false)) {
                    .bool(false)
                } else if given.count == 1 {
                    given[0]
                } else {
                    .object([SchemaValue.Member(key: "allOf", value: .array(given))])
                }
            merged.append(SchemaValue.Member(key: key, value: schema))
        }
        for member in mine {
            let their = theirs.first { $0.key == member.key }?.value ?? other.values["additionalProperties"]
            add(member.key, [member.value, their])
        }
        for member in theirs where !mine.contains(where: { $0.key == member.key }) {
            add(member.key, [values["additionalProperties"], member.value])
        }
        return .object(merged)
    }
}
