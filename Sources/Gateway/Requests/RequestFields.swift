/// A request's parameters, read with checks. A `null` counts as absent, as in OpenAI's API.
///
/// Every method throws an `APIError` that names the parameter.
struct RequestFields {
    private let values: [String: JSONValue]

    /// Takes a request's body apart; throws when it is not a JSON object.
    init(_ body: JSONValue) throws {
        guard case .object(let object) = body else {
            throw APIError.invalid(nil, "The request body must be a JSON object, but it is \(body.kind).")
        }
        var values: [String: JSONValue] = [:]
        for member in object.members where member.value != .null { values[member.key] = member.value }
        self.values = values
    }

    /// A nested object's parameters, under their own names.
    init(object: JSONObject) {
        var values: [String: JSONValue] = [:]
        for member in object.members where member.value != .null { values[member.key] = member.value }
        self.values = values
    }

    /// Throws an `APIError` that names the first field, in alphabetical order, whose value is not among the accepted.
    func refuse(otherThan accepted: [String: [JSONValue]]) throws {
        for name in names.sorted() {
            guard let values = accepted[name], let value = self[name], !values.contains(value) else { continue }
            throw APIError.invalid(name, "'\(name)' is not supported by this server; leave it out.")
        }
    }

    subscript(name: String) -> JSONValue? { values[name] }

    var names: some Sequence<String> { values.keys }

    func string(_ name: String) throws -> String? {
        guard let value = values[name] else { return nil }
        guard case .string(let string) = value else { throw wrongType(name, value, "a string") }
        return string
    }

    func bool(_ name: String) throws -> Bool? {
        guard let value = values[name] else { return nil }
        guard case .bool(let bool) = value else { throw wrongType(name, value, "a boolean") }
        return bool
    }

    func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = values[name] else { return nil }
        guard let wide = value.integer, let integer = Int(exactly: wide) else {
            throw wrongType(name, value, "an integer")
        }
        guard range.contains(integer) else {
            let upper =
                range.upperBound == Int.max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw APIError.invalid(name, "'\(name)' must be \(upper), but it is \(integer).")
        }
        return integer
    }

    /// A number within the range; `above` excludes the lower bound.
    func number(_ name: String, _ range: ClosedRange<Double>, above: Bool = false) throws -> Float? {
        guard let value = values[name] else { return nil }
        guard let number = value.number else { throw wrongType(name, value, "a number") }
        guard range.contains(number), !(above && number == range.lowerBound) else {
            let lower = above ? "greater than \(range.lowerBound)" : "at least \(range.lowerBound)"
            throw APIError.invalid(
                name, "'\(name)' must be \(lower) and at most \(range.upperBound), but it is \(number).")
        }
        return Float(number)
    }

    func object(_ name: String) throws -> JSONObject? {
        guard let value = values[name] else { return nil }
        guard case .object(let object) = value else { throw wrongType(name, value, "an object") }
        return object
    }

    func array(_ name: String) throws -> [JSONValue]? {
        guard let value = values[name] else { return nil }
        guard case .array(let array) = value else { throw wrongType(name, value, "an array") }
        return array
    }

    func wrongType(_ name: String, _ value: JSONValue, _ expected: String) -> APIError {
        .invalid(name, "'\(name)' must be \(expected), but it is \(value.kind).")
    }
}
