/// Why a file that the gateway was given cannot be used.
public struct GatewayFileError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
