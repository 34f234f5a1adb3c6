/// Why a node, a certificate, a token or a directory is not trusted, or could not be made.
public struct TrustError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// Not a certificate, request, key or token at all.
        case malformed
        /// Signed by nobody whom this cluster trusts.
        case stranger
        case expired
        case revoked
        /// Trusted, but not for this.
        case wrongRole
        /// A token that was used, is not known, or is past its time.
        case tokenRefused
        /// The name belongs to another node.
        case nameTaken
        /// The directory lacks what was asked for, or has it already.
        case directory
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
