import Foundation

/// A JSON value of a file that a user wrote.
enum SpecificationValue: Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([SpecificationValue])
    case object([String: SpecificationValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([SpecificationValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: SpecificationValue].self))
        }
    }
}

/// The members of a JSON object, each of which is taken once; what nobody takes is an error.
struct SpecificationObject {
    /// Where the object is, for messages: "workers[2]".
    let place: String
    private var members: [String: SpecificationValue]

    /// - Parameter known: the keys that there may be.
    init(_ value: SpecificationValue, place: String, known: [String]) throws {
        guard case .object(let members) = value else { throw CommandError("\(place) must be an object: {...}") }
        for key in members.keys.sorted() where !known.contains(key) {
            throw CommandError("\(place) has the unknown key \"\(key)\"; known are \(known.joined(separator: ", "))")
        }
        self.place = place
        self.members = members
    }

    func value(_ key: String) -> SpecificationValue? { members[key] }

    func required(_ key: String) throws -> SpecificationValue {
        guard let value = members[key] else { throw CommandError("\(place) lacks \"\(key)\"") }
        return value
    }

    /// A number within a range, or nil without one.
    func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
        guard let value = members[key] else { return nil }
        guard case .number(let number) = value else { throw CommandError("\(place): \"\(key)\" must be a number") }
        guard range.contains(number) else {
            throw CommandError(
                "\(place): \"\(key)\" is \(number), but must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    func requiredNumber(_ key: String, _ range: ClosedRange<Double>) throws -> Double {
        guard let number = try number(key, range) else { throw CommandError("\(place) lacks \"\(key)\"") }
        return number
    }

    /// A whole number within a range, or nil without one.
    func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = try number(key, Double(range.lowerBound)...Double(range.upperBound)) else { return nil }
        guard let whole = Int(exactly: value) else {
            throw CommandError("\(place): \"\(key)\" is \(value), but must be a whole number")
        }
        return whole
    }

    func list(_ key: String) throws -> [SpecificationValue]? {
        guard let value = members[key] else { return nil }
        guard case .list(let list) = value else { throw CommandError("\(place): \"\(key)\" must be a list: [...]") }
        return list
    }
}
