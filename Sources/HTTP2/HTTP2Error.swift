/// What ends a whole HTTP/2 session: after one of these it takes and gives no more bytes.
public struct HTTP2Error: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The first bytes are not HTTP/2's client preface: the peer speaks something else.
        case badPreface
        /// The peer broke the protocol.
        case violation
        /// The peer sent more of something than any honest peer does.
        case flood
        /// The library could not go on (no memory, or an error of our own).
        case failure
        /// The stream is not there or is not in a state in which this can be done.
        case badStream
    }

    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
