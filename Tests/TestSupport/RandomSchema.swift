/// Random JSON schemas, as text, out of all keywords that the server honours.
public struct RandomSchema {
    private var random: SeededGenerator
    private var definitionCount = 0

    public init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// The next schema. Its values may be nested, but can always come to an end.
    public mutating func next() -> String {
        definitionCount = Int.random(in: 0...2, using: &random)
        let definitions = (0..<definitionCount).map { "\"d\($0)\": \(object(depth: 2, mayRefer: true))" }
        let body = Bool.random(using: &random) ? object(depth: 0, mayRefer: true) : schema(depth: 0, mayRefer: true)
        guard definitionCount > 0 else { return body }
        // The definitions stand beside the other keywords.
        return "{\"$defs\": {\(definitions.joined(separator: ", "))}, \(body.dropFirst())"
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    private mutating func chance(_ part: Int) -> Bool { Int.random(in: 0..<part, using: &random) == 0 }

    private mutating func schema(depth: Int, mayRefer: Bool) -> String {
        if depth < 3, chance(2) { return compound(depth: depth, mayRefer: mayRefer) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return #"{"type": "boolean"}"#
        case 1: return #"{"type": ["string", "null"]}"#
        case 2: return #"{"enum": ["red", "gr\"ün", "blau\n", 1, 2.5, null, true, [1, {"a": "b"}]]}"#
        case 3: return #"{"const": \#(pick(["\"x\"", "17", "{\"k\": [1, 2]}", "\"é\\\\\""]))}"#
        case 4: return integer()
        case 5: return number()
        default: return string()
        }
    }

    private mutating func integer() -> String {
        let low = Int.random(in: -1200...1200, using: &random)
        let high = low + Int.random(in: 0...1500, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return #"{"type": "integer"}"#
        case 1: return "{\"type\": \"integer\", \"minimum\": \(low), \"maximum\": \(high)}"
        case 2: return "{\"type\": \"integer\", \"exclusiveMinimum\": \(low)}"
        default: return "{\"type\": \"integer\", \"exclusiveMaximum\": \(high)}"
        }
    }

    private mutating func number() -> String {
        let low = Int.random(in: -30...30, using: &random)
        let high = low + Int.random(in: 1...40, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return #"{"type": "number"}"#
        case 1: return "{\"type\": \"number\", \"minimum\": \(low), \"maximum\": \(high).5}"
        default: return "{\"type\": \"number\", \"exclusiveMinimum\": \(low), \"exclusiveMaximum\": \(high)}"
        }
    }

    private mutating func string() -> String {
        let least = Int.random(in: 0...3, using: &random)
        let most = least + Int.random(in: 0...70, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return "{\"type\": \"string\", \"minLength\": \(least), \"maxLength\": \(most)}"
        case 1: return "{\"type\": \"string\", \"format\": \"\(pick(["date", "date-time", "uuid", "ipv4"]))\"}"
        case 2:
            let patterns = [
                "^[A-Z]{2}-[0-9]{3,5}$", "^(ab|c?d)+$", "x.y", "^\\\\d+\\\\.[^a\\\"]*$",
                "^[\\\\w.]+@[a-z]+(\\\\.[a-z]{2,3})$",
            ]
            return "{\"type\": \"string\", \"pattern\": \"\(pick(patterns))\"}"
        default: return #"{"type": "string"}"#
        }
    }

    private mutating func compound(depth: Int, mayRefer: Bool) -> String {
        switch Int.random(in: 0..<7, using: &random) {
        case 0, 1: return object(depth: depth + 1, mayRefer: mayRefer)
        case 2: return array(depth: depth + 1, mayRefer: mayRefer)
        case 3:
            let parts = (0..<2).map { _ in schema(depth: depth + 1, mayRefer: mayRefer) }
            return "{\"anyOf\": [\(parts.joined(separator: ", "))]}"
        case 4:
            let parts = ["a", "b", "c"].map { kind in
                "{\"type\": \"object\", \"properties\": {\"kind\": {\"const\": \"\(kind)\"}, \"v\": "
                    + "\(schema(depth: depth + 1, mayRefer: false))}, \"required\": [\"kind\"]}"
            }
            return "{\"oneOf\": [\(parts.joined(separator: ", "))]}"
        case 5:
            let parts = (0..<2).map { part in
                "{\"type\": \"object\", \"properties\": {\"p\(part)\": \(schema(depth: depth + 1, mayRefer: false))}, "
                    + "\"required\": [\"p\(part)\"]}"
            }
            return "{\"allOf\": [\(parts.joined(separator: ", "))]}"
        default:
            guard mayRefer, definitionCount > 0 else { return array(depth: depth + 1, mayRefer: mayRefer) }
            return "{\"$ref\": \"#/$defs/d\(Int.random(in: 0..<definitionCount, using: &random))\"}"
        }
    }

    private mutating func object(depth: Int, mayRefer: Bool) -> String {
        let names = ["name", "na\\\"me", "größe", "a/b", "n", "tags"].shuffled(using: &random)
            .prefix(Int.random(in: 0...4, using: &random))
        // What is required never refers, so that no value must go on forever.
        let required = names.filter { _ in chance(2) }
        let properties = names.map { name in
            "\"\(name)\": \(schema(depth: depth + 1, mayRefer: mayRefer && !required.contains(name)))"
        }
        var parts = ["\"type\": \"object\"", "\"properties\": {\(properties.joined(separator: ", "))}"]
        parts.append("\"required\": [\(required.map { "\"\($0)\"" }.joined(separator: ", "))]")
        switch Int.random(in: 0..<4, using: &random) {
        case 0: parts.append("\"additionalProperties\": false")
        case 1: parts.append("\"additionalProperties\": {\"type\": \"integer\"}")
        default: break
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func array(depth: Int, mayRefer: Bool) -> String {
        let least = Int.random(in: 0...2, using: &random)
        let most = least + Int.random(in: 0...40, using: &random)
        let items = schema(depth: depth + 1, mayRefer: mayRefer && least == 0)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return "{\"type\": \"array\", \"items\": \(items)}"
        case 1: return "{\"type\": \"array\", \"items\": \(items), \"minItems\": \(least), \"maxItems\": \(most)}"
        default:
            let first = schema(depth: depth + 1, mayRefer: false)
            return "{\"type\": \"array\", \"prefixItems\": [\(first), {\"type\": \"boolean\"}], \"items\": false, "
                + "\"minItems\": \(min(least, 2))}"
        }
    }
}
