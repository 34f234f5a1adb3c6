internal import HTTP2

/// The header blocks with which a server begins and ends a call.
enum ResponseHead {
    static func begin(contentType: String) -> [HTTP2Header] {
        [
            HTTP2Header(":status", "200"), HTTP2Header("content-type", contentType),
            HTTP2Header("grpc-accept-encoding", "identity"),
        ]
    }

    /// Trailers for a status; nil is OK.
    static func trailers(_ status: RPCError?) -> [HTTP2Header] {
        guard let status else { return [HTTP2Header("grpc-status", "0")] }
        return [
            HTTP2Header("grpc-status", String(status.code.rawValue)),
            HTTP2Header("grpc-message", PercentEncoding.encode(String(status.message.prefix(1024)))),
        ]
    }

    /// An answer in plain HTTP for what is not gRPC.
    static func plain(status: Int, text: String) -> [HTTP2Header] {
        [
            HTTP2Header(":status", String(status)), HTTP2Header("content-length", "0"),
            HTTP2Header("phalanx-error", text),
        ]
    }

    /// Checks the first block of an answer. Nil means that a gRPC answer begins.
    static func problem(_ fields: [HTTP2Header], peer: String) -> RPCError? {
        let status = fields.first(":status") ?? ""
        guard status == "200" else {
            if fields.first("grpc-status") != nil { return nil }
            return RPCError(
                RPCError.Code(httpStatus: status),
                "\(peer) answered with HTTP status \(status) instead of a gRPC status: is it a Phalanx node?")
        }
        let contentType = fields.first("content-type") ?? ""
        guard RequestHead.isGRPC(contentType) else {
            return RPCError(
                .unknown, "\(peer) answered with content type \"\(contentType)\": is it a Phalanx node?")
        }
        return nil
    }

    /// The status that trailers say; nil is OK.
    static func status(_ fields: [HTTP2Header], peer: String) -> RPCError? {
        guard let value = fields.first("grpc-status") else {
            return RPCError(.unknown, "\(peer) ended the call without a gRPC status")
        }
        let message = PercentEncoding.decode(fields.first("grpc-message") ?? "")
        guard let number = Int(value), let code = RPCError.Code(rawValue: number) else {
            return RPCError(.unknown, "\(peer) ended the call with the unknown gRPC status \(value): \(message)")
        }
        return code == .ok ? nil : RPCError(code, message)
    }
}
