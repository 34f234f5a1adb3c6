public import Grammar

extension SchemaValue {
    /// Foundation's reading, properties in alphabetical order.
    public init(_ tree: JSONTree) {
        switch tree {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let value): self = Int64(exactly: value).map { .integer($0) } ?? .double(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .array(values.map { SchemaValue($0) })
        case .object(let members):
            self = .object(
                members.sorted { $0.key < $1.key }.map { Member(key: $0.key, value: SchemaValue($0.value)) })
        }
    }
}
