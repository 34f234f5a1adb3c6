import Crypto
import HTTPTypes
import Inference

/// Who sends a request, as far as its API key says.
struct ClientIdentity: Hashable, Sendable {
    /// Of the key that came along, whether it is a good one or not.
    let key: KeyHash?
    /// Nil as long as there are no keys.
    let name: String?

    /// Who asks for what needs no key.
    static let anybody = ClientIdentity(key: nil, name: nil)

    private init(key: KeyHash?, name: String?) {
        self.key = key
        self.name = name
    }

    /// Throws `EngineError` (`unauthenticated`) when the engine does not let the client in.
    init(_ headers: HTTPFields, engine: any Engine) async throws {
        key = Self.key(headers).flatMap { KeyHash(Array(SHA256.hash(data: Array($0.utf8)))) }
        name = try await engine.authorize(key)
    }

    /// The key as OpenAI's clients (and most others) send it, or as Anthropic's do.
    private static func key(_ headers: HTTPFields) -> String? {
        if let value = headers[.authorization] {
            let parts = value.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" { return String(parts[1].drop { $0 == " " }) }
        }
        return headers[.apiKey]
    }
}

extension HTTPField.Name {
    /// `x-api-key`; the name is a valid token, so it is always there.
    static let apiKey = HTTPField.Name("x-api-key") ?? .via
}

extension HTTPFields {
    /// Tells what a client may still ask for, as OpenAI does.
    mutating func tell(_ limits: RateLimits?) {
        for (name, allowance) in [("requests", limits?.requests), ("tokens", limits?.tokens)] {
            guard let allowance else { continue }
            for (kind, value) in [
                ("limit", String(allowance.limit)), ("remaining", String(allowance.remaining)),
                ("reset", Self.duration(milliseconds: allowance.resetMilliseconds)),
            ] {
                if let field = HTTPField.Name("x-ratelimit-\(kind)-\(name)") { self[field] = value }
            }
        }
    }

    /// "1m30s", "2s" or "120ms".
    private static func duration(milliseconds: Double) -> String {
        let whole = Int(Swift.min(Swift.max(milliseconds, 0), 1e12).rounded(.up))
        if whole < 1000 { return "\(whole)ms" }
        let seconds = (whole + 999) / 1000
        return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
    }
}
