internal import Crypto
public import Foundation

/// What a client of the API is known by: a name, and the hash of a key that only the client has.
public struct ClientKey: Hashable, Sendable, Codable {
    public let name: String
    /// SHA-256 of the key. Keys are drawn from 2^256, so nobody finds one from its hash.
    public let hash: [UInt8]
    public let creation: Date
    /// From then on the key is not good any more; nil for never.
    public let expiry: Date?
    public internal(set) var revocation: Date?
    public let limits: ClientLimits

    public enum State: String, Hashable, Sendable { case valid, expired, revoked }

    public func state(at date: Date) -> State {
        if revocation != nil { return .revoked }
        return expiry.map { $0 <= date } ?? false ? .expired : .valid
    }

    static let prefix = "phx-"
    private static let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    /// Of 62 letters: as many bits as the hash has.
    private static let letterCount = 43

    /// A fresh key, for the client's eyes only.
    static func draw() -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix
            + String((0..<letterCount).map { _ in letters[Int.random(in: letters.indices, using: &generator)] })
    }

    static func hash(_ key: String) -> [UInt8] { Array(SHA256.hash(data: Array(key.utf8))) }
}

/// What a key allows; nil is no limit.
public struct ClientLimits: Hashable, Sendable, Codable {
    public var requestsPerMinute: Int?
    /// Of prompts and answers together.
    public var tokensPerMinute: Int?
    /// Requests that run or wait at the same time.
    public var concurrentRequests: Int?

    public init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, concurrentRequests: Int? = nil) {
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.concurrentRequests = concurrentRequests
    }
}
