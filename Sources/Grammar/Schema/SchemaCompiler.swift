/// Writes a JSON schema's values as rules of a grammar.
///
/// What is written is valid under the schema always; where a schema leaves a choice that a grammar cannot, a part of it
/// is written: properties come in the order of the schema, others than those named only where `additionalProperties`
/// says so, and numbers have at most 16 digits. What would need looking back is refused with the keyword and its place.
struct SchemaCompiler {
    let document: SchemaValue
    var text: GrammarText
    private var references: [String: String] = [:]
    private var remainingCount = 50_000
    /// Comparisons and copies of keywords that are left.
    private var remainingWork = 4_000_000
    private var depth = 0

    private static let maxDepth = 64

    init(document: SchemaValue, text: GrammarText) {
        self.document = document
        self.text = text
    }

    /// The name of the rule for a schema's values.
    mutating func compile(_ schema: SchemaValue, at path: String) throws(GrammarError) -> String {
        if let reference = try loneReference(schema, at: path) { return try compile(reference: reference, at: path) }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth else {
            throw GrammarError("schema at '\(path.prefix(256))': nested deeper than \(Self.maxDepth)")
        }
        return try compile(try flatten(schema, at: path, depth: 0))
    }

    /// The name of the rule for those of the document's values that are objects.
    mutating func compile(objectsOf schema: SchemaValue) throws(GrammarError) -> String {
        let object = try SchemaKeywords([SchemaValue.Member(key: "type", value: .string("object"))], path: "#")
        return try compile(try merge(try flatten(schema, at: "#", depth: 0), object))
    }

    // MARK: References

    /// The reference of a schema that is nothing else.
    private func loneReference(_ schema: SchemaValue, at path: String) throws(GrammarError) -> String? {
        guard case .object(let members) = schema, let reference = schema["$ref"] else { return nil }
        guard case .string(let reference) = reference else {
            throw GrammarError("schema at '\(path)': '$ref' must be a string")
        }
        let others = members.filter { !SchemaKeywords.annotations.contains($0.key) && $0.key != "$ref" }
        return others.isEmpty ? reference : nil
    }

    /// A rule per reference, which may use itself.
    private mutating func compile(reference: String, at path: String) throws(GrammarError) -> String {
        if let name = references[reference] { return name }
        let name = text.reserve()
        references[reference] = name
        let target = try resolve(reference, at: path)
        text.define(name, try compile(target, at: reference))
        return name
    }

    /// Finds what a reference within the document points at (RFC 6901).
    private func resolve(_ reference: String, at path: String) throws(GrammarError) -> SchemaValue {
        let failure = GrammarError(
            "schema at '\(path)': '$ref' to '\(reference.prefix(256))' leads nowhere; references within the schema are "
                + "supported, like '#/$defs/name'")
        guard reference.hasPrefix("#"), let pointer = Self.withoutPercents(reference.dropFirst()) else { throw failure }
        guard pointer.isEmpty || pointer.hasPrefix("/") else { throw failure }
        var value = document
        for part in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = String(part.replacing("~1", with: "/").replacing("~0", with: "~"))
            if let member = value[key] {
                value = member
            } else if case .array(let elements) = value, let index = Int(key), elements.indices.contains(index) {
                value = elements[index]
            } else {
                throw failure
            }
        }
        return value
    }

    private static func withoutPercents(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else { return nil }
                rest = rest.dropFirst(2)
                bytes.append(value)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    // MARK: Combinations

    /// A schema's keywords with those of `$ref` and `allOf`.
    mutating func flatten(_ schema: SchemaValue, at path: String, depth: Int) throws(GrammarError) -> SchemaKeywords {
        guard depth < 16 else {
            throw GrammarError("schema at '\(path.prefix(256))': '$ref' and 'allOf' go round in a circle, or too deep")
        }
        switch schema {
        case .bool(true): return SchemaKeywords(path: path)
        case .bool(false): throw GrammarError("schema at '\(path)': no value is possible, the schema is false")
        case .object(let members):
            try spend(members.count, at: path)
            var keywords = try SchemaKeywords(members, path: path)
            if case .string(let reference)? = schema["$ref"] {
                let target = try resolve(reference, at: path)
                keywords = try merge(keywords, try flatten(target, at: reference, depth: depth + 1))
            }
            if let all = schema["allOf"] {
                guard case .array(let schemas) = all, schemas.count <= 64 else {
                    throw keywords.wrong("allOf", "an array of at most 64 schemas")
                }
                for (index, schema) in schemas.enumerated() {
                    let part = try flatten(schema, at: "\(path)/allOf/\(index)", depth: depth + 1)
                    keywords = try merge(keywords, part)
                }
            }
            return keywords
        default: throw GrammarError("schema at '\(path)': a schema must be an object or a boolean")
        }
    }

    mutating func merge(_ first: SchemaKeywords, _ second: SchemaKeywords) throws(GrammarError) -> SchemaKeywords {
        try spend((1 + first.entryCount) * (1 + second.entryCount), at: first.path)
        return try first.merged(with: second)
    }

    /// Counts work that grows faster than a schema does.
    mutating func spend(_ count: Int, at path: String) throws(GrammarError) {
        remainingWork -= count
        guard remainingWork > 0 else {
            throw GrammarError(
                "schema at '\(path.prefix(256))': it takes too much to put this schema together; simplify it")
        }
    }

    private mutating func compile(_ keywords: SchemaKeywords) throws(GrammarError) -> String {
        remainingCount -= 1
        guard remainingCount > 0, !text.isTooLarge else {
            throw keywords.failure("the schema is too large for a grammar; make it simpler")
        }
        if let literals = try keywords.literals() {
            if let key = keywords.values.keys.sorted().first(where: { !["enum", "const", "type"].contains($0) }) {
                throw keywords.failure("'\(key)' next to 'enum' or 'const' is not supported")
            }
            return text.define(literals.map { GrammarText.literal($0.json) }.joined(separator: " | "))
        }
        if keywords["anyOf"] != nil || keywords["oneOf"] != nil { return try compile(alternativesOf: keywords) }
        guard let types = try keywords.types() else { return text.basic(.value) }
        var names: [String] = []
        for type in types {
            // Integers are numbers.
            if type == "integer" && types.contains("number") { continue }
            names.append(try compile(keywords, type: type))
        }
        return names.count == 1 ? names[0] : text.define(names.joined(separator: " | "))
    }

    private mutating func compile(alternativesOf keywords: SchemaKeywords) throws(GrammarError) -> String {
        let key = keywords["anyOf"] == nil ? "oneOf" : "anyOf"
        guard keywords["anyOf"] == nil || keywords["oneOf"] == nil else {
            throw keywords.failure("'anyOf' and 'oneOf' together are not supported")
        }
        guard case .array(let schemas)? = keywords[key], (1...256).contains(schemas.count) else {
            throw keywords.wrong(key, "an array of 1 to 256 schemas")
        }
        var base = keywords
        base[key] = nil
        if key == "oneOf" { try checkDisjoint(schemas, base) }
        var names: [String] = []
        for (index, schema) in schemas.enumerated() {
            let path = "\(keywords.path)/\(key)/\(index)"
            if base.values.isEmpty {
                names.append(try compile(schema, at: path))
            } else {
                depth += 1
                defer { depth -= 1 }
                guard depth <= Self.maxDepth else { throw keywords.failure("nested deeper than \(Self.maxDepth)") }
                names.append(try compile(try merge(base, try flatten(schema, at: path, depth: 0))))
            }
        }
        return names.count == 1 ? names[0] : text.define(names.joined(separator: " | "))
    }

    private mutating func compile(_ keywords: SchemaKeywords, type: String) throws(GrammarError) -> String {
        switch type {
        case "object": try compile(object: keywords)
        case "array": try compile(array: keywords)
        case "string": try compile(string: keywords)
        case "integer": try compile(integer: keywords)
        case "number": try compile(number: keywords)
        case "boolean": text.basic(.boolean)
        default: text.basic(.null)
        }
    }
}
