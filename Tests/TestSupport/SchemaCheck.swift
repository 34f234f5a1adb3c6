import Foundation

/// A small validator of JSON Schema, written from the specification (2020-12) for the tests alone.
public struct SchemaCheck {
    private let document: JSONTree

    public init(_ schema: JSONTree) { document = schema }

    /// What is wrong with a value; nil when it is valid.
    public func problem(_ value: JSONTree) -> String? { problem(value, document, "$") }

    private func problem(_ value: JSONTree, _ schema: JSONTree, _ place: String) -> String? {
        switch schema {
        case .bool(true): return nil
        case .bool(false): return "\(place): nothing is valid here"
        case .object(let keywords):
            for (key, argument) in keywords.sorted(by: { $0.key < $1.key }) {
                if let problem = problem(value, key, argument, schema, place) { return problem }
            }
            return nil
        default: return "\(place): this is no schema"
        }
    }

    private func problem(
        _ value: JSONTree, _ key: String, _ argument: JSONTree, _ schema: JSONTree, _ place: String
    ) -> String? {
        func unless(_ isValid: Bool) -> String? { isValid ? nil : "\(place): \(key) \(argument) fails for \(value)" }
        switch key {
        case "type": return unless((argument.elements ?? [argument]).contains { isOf($0.text ?? "", value) })
        case "enum": return unless(argument.elements?.contains(value) ?? false)
        case "const": return unless(argument == value)
        case "$ref": return problem(value, resolve(argument.text ?? ""), place)
        case "allOf": return argument.elements?.lazy.compactMap { problem(value, $0, place) }.first
        case "anyOf": return unless(argument.elements?.contains { problem(value, $0, place) == nil } ?? false)
        case "oneOf": return unless(argument.elements?.filter { problem(value, $0, place) == nil }.count == 1)
        case "minimum": return unless(value.number.map { $0 >= argument.number ?? 0 } ?? true)
        case "maximum": return unless(value.number.map { $0 <= argument.number ?? 0 } ?? true)
        case "exclusiveMinimum": return unless(value.number.map { $0 > argument.number ?? 0 } ?? true)
        case "exclusiveMaximum": return unless(value.number.map { $0 < argument.number ?? 0 } ?? true)
        case "minLength": return unless(value.text.map { $0.unicodeScalars.count >= Int(argument.number ?? 0) } ?? true)
        case "maxLength": return unless(value.text.map { $0.unicodeScalars.count <= Int(argument.number ?? 0) } ?? true)
        case "pattern": return unless(value.text.map { matches($0, argument.text ?? "") } ?? true)
        case "format": return unless(value.text.map { isOfFormat($0, argument.text ?? "") } ?? true)
        case "minItems": return unless(value.elements.map { $0.count >= Int(argument.number ?? 0) } ?? true)
        case "maxItems": return unless(value.elements.map { $0.count <= Int(argument.number ?? 0) } ?? true)
        case "prefixItems":
            return zip(value.elements ?? [], argument.elements ?? []).lazy
                .compactMap { problem($0, $1, "\(place)[]") }.first
        case "items":
            return (value.elements ?? []).dropFirst(schema["prefixItems"]?.elements?.count ?? 0).lazy
                .compactMap { problem($0, argument, "\(place)[]") }.first
        default: return objectProblem(value, key, argument, schema, place)
        }
    }

    private func objectProblem(
        _ value: JSONTree, _ key: String, _ argument: JSONTree, _ schema: JSONTree, _ place: String
    ) -> String? {
        guard case .object(let members) = value else { return nil }
        switch key {
        case "required":
            let missing = argument.elements?.first { members[$0.text ?? ""] == nil }
            return missing.map { "\(place): \($0) is missing" }
        case "properties":
            guard case .object(let schemas) = argument else { return "\(place): properties is no object" }
            return schemas.sorted { $0.key < $1.key }.lazy.compactMap { name, schema in
                members[name].flatMap { problem($0, schema, "\(place).\(name)") }
            }.first
        case "additionalProperties":
            return members.lazy.filter { schema["properties"]?[$0.key] == nil }
                .compactMap { problem($0.value, argument, "\(place).\($0.key)") }.first
        default: return nil
        }
    }

    private func isOf(_ type: String, _ value: JSONTree) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
            ("object", .object):
            true
        case ("integer", .number(let value)): value.rounded() == value
        default: false
        }
    }

    private func resolve(_ reference: String) -> JSONTree {
        var place = document
        for part in reference.split(separator: "/").dropFirst() { place = place[String(part)] ?? .bool(false) }
        return place
    }

    private func matches(_ text: String, _ pattern: String) -> Bool {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return false }
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    private func isOfFormat(_ text: String, _ format: String) -> Bool {
        switch format {
        case "uuid": return UUID(uuidString: text) != nil
        case "date": return Self.isDate(text)
        case "date-time":
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = [.withInternetDateTime]
            let plain = text.replacing(/\.[0-9]+/, with: "")
            return Self.isDate(String(text.prefix(10))) && formatter.date(from: plain) != nil
        case "ipv4":
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts.allSatisfy { UInt8($0).map(String.init) == String($0) }
        default: return false
        }
    }

    private static func isDate(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard text.utf8.count == 10, parts.count == 3 else { return false }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: "UTC") ?? calendar.timeZone
        return DateComponents(calendar: calendar, year: parts[0], month: parts[1], day: parts[2]).isValidDate
    }
}
