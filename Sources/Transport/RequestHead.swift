internal import HTTP2

/// What a client's header block asks for.
struct RequestHead {
    /// How a request is turned down.
    enum Refusal: Error, Hashable {
        /// Not gRPC at all: an answer in plain HTTP.
        case http(status: Int, text: String)
        /// gRPC, but wrong.
        case status(RPCError)
    }

    let method: RPCMethod
    let timeout: Duration?
    let contentType: String
    let encoding: String?

    /// Reads a block; order and values as the gRPC specification for HTTP/2 wants them.
    init(_ fields: [HTTP2Header]) throws(Refusal) {
        guard fields.first(":method") == "POST" else {
            throw .http(status: 405, text: "gRPC calls are POST requests")
        }
        let contentType = fields.first("content-type") ?? ""
        guard Self.isGRPC(contentType) else {
            throw .http(status: 415, text: "the content type must be application/grpc")
        }
        self.contentType = contentType
        guard fields.first("te") == "trailers" else {
            throw .status(RPCError(.internalError, "the header te: trailers is missing: a proxy may have removed it"))
        }
        let path = fields.first(":path") ?? ""
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, !parts[2].isEmpty else {
            throw .status(RPCError(.unimplemented, "the path \(path) is not of the form /package.Service/Method"))
        }
        method = RPCMethod(service: String(parts[1]), name: String(parts[2]))
        if let value = fields.first("grpc-timeout") {
            guard let duration = CallTimeout.decode(value) else {
                throw .status(
                    RPCError(.internalError, "grpc-timeout is \(value); one to eight digits and a unit were expected"))
            }
            timeout = duration
        } else {
            timeout = nil
        }
        encoding = fields.first("grpc-encoding")
        if let encoding, encoding != "identity" {
            throw .status(
                RPCError(.unimplemented, "messages compressed with \(encoding) are not taken here: use identity"))
        }
    }

    /// Whether a content type is gRPC's, whatever the format of the messages.
    static func isGRPC(_ contentType: String) -> Bool {
        let type = contentType.lowercased()
        guard type.hasPrefix("application/grpc") else { return false }
        let rest = type.dropFirst("application/grpc".count)
        return rest.isEmpty || rest.hasPrefix("+") || rest.hasPrefix(";")
    }

    /// The header block of a call.
    static func fields(
        of method: RPCMethod, authority: String, contentType: String, timeout: Duration?
    ) -> [HTTP2Header] {
        var fields = [
            HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"), HTTP2Header(":path", method.path),
            HTTP2Header(":authority", authority), HTTP2Header("te", "trailers"),
            HTTP2Header("content-type", contentType), HTTP2Header("user-agent", "phalanx"),
        ]
        if let timeout { fields.append(HTTP2Header("grpc-timeout", CallTimeout.encode(timeout))) }
        return fields
    }
}
