/// What OpenAI's clients say about themselves and their request. Nothing in an answer's text depends on it.
struct ClientLabels: Hashable, Sendable {
    var user: String?
    var safetyIdentifier: String?
    var promptCacheKey: String?
    /// "auto" or "default"; there is no other tier.
    var serviceTier: String?
    /// Strings by name.
    var metadata = JSONObject(members: [])

    static let maxMetadataCount = 16
    static let maxMetadataKeyLength = 64
    static let maxMetadataValueLength = 512
    private static let maxNameLength = 512

    init() {}

    /// Reads the labels; throws an `APIError` that names the first wrong one.
    init(_ fields: RequestFields) throws {
        user = try Self.name("user", fields)
        safetyIdentifier = try Self.name("safety_identifier", fields)
        promptCacheKey = try Self.name("prompt_cache_key", fields)
        serviceTier = try fields.string("service_tier")
        if let serviceTier, serviceTier != "auto", serviceTier != "default" {
            throw APIError.invalid("service_tier", "'service_tier' must be auto or default: there is one tier only.")
        }
        if let object = try fields.object("metadata") { metadata = try Self.checked(object) }
    }

    private static func name(_ name: String, _ fields: RequestFields) throws -> String? {
        let value = try fields.string(name)
        guard value?.unicodeScalars.count ?? 0 <= maxNameLength else {
            throw APIError.invalid(name, "'\(name)' may have at most \(maxNameLength) characters.")
        }
        return value
    }

    private static func checked(_ metadata: JSONObject) throws -> JSONObject {
        guard metadata.members.count <= maxMetadataCount else {
            throw APIError.invalid("metadata", "'metadata' may hold at most \(maxMetadataCount) pairs.")
        }
        for member in metadata.members {
            guard member.key.unicodeScalars.count <= maxMetadataKeyLength else {
                throw APIError.invalid(
                    "metadata", "A key of 'metadata' may have at most \(maxMetadataKeyLength) characters.")
            }
            guard case .string(let text) = member.value, text.unicodeScalars.count <= maxMetadataValueLength else {
                throw APIError.invalid(
                    "metadata",
                    "The values of 'metadata' must be strings of at most \(maxMetadataValueLength) characters.")
            }
        }
        return metadata
    }
}
