/// A JSON document in memory.
enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number that was written without fraction and exponent and fits.
    case integer(Int64)
    /// Any other finite number.
    case double(Double)
    /// Written in the shortest form that reads back as the same single; never read.
    case single(Float)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// What to call the value in an error message.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .double, .single: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The value as an integer: also 16.0, as JSON makes no difference between the two.
    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    init(_ value: Int) { self = .integer(Int64(value)) }
}

/// A JSON object whose members keep their order.
struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    struct Member: Sendable, Hashable {
        let key: String
        var value: JSONValue
    }

    var members: [Member]

    init(members: [Member]) { self.members = members }

    init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member(key: $0.0, value: $0.1) }
    }

    /// The member with this key. Linear in the number of members.
    subscript(key: String) -> JSONValue? {
        members.first { $0.key == key }?.value
    }

    mutating func append(_ key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(members: elements.map { JSONObject.Member(key: $0.0, value: $0.1) }))
    }

    init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
