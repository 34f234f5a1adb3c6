import HTTPTypes
import Hummingbird

/// Which web pages of other origins may use the API (https://fetch.spec.whatwg.org/#http-cors-protocol).
struct CORSPolicy: Hashable, Sendable {
    private let origins: Set<String>

    private static let exposed =
        "x-request-id, request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
        + "x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, "
        + "x-ratelimit-reset-tokens"
    private static let maxHeaderByteCount = 2048

    /// - Parameter origins: such as "https://app.example"; "*" for all; none for no other.
    init(_ origins: [String]) { self.origins = Set(origins) }

    /// The answer to a browser that asks before it sends a request of an allowed page; nil when it is something else.
    func preflight(_ request: Request) -> Response? {
        guard request.method == .options, request.headers[.accessControlRequestMethod] != nil,
            let origin = allowed(request)
        else { return nil }
        var headers: HTTPFields = [
            .accessControlAllowOrigin: origin,
            .accessControlAllowMethods: Route.match(request.uri.path)?.allowed ?? "GET, HEAD, POST, DELETE",
            .accessControlMaxAge: "600",
            .vary: "Origin, Access-Control-Request-Headers",
        ]
        if let wanted = request.headers[.accessControlRequestHeaders], wanted.utf8.count <= Self.maxHeaderByteCount {
            headers[.accessControlAllowHeaders] = wanted
        }
        return Response(status: .noContent, headers: headers)
    }

    /// Lets the page that has sent a request read the answer, if it may.
    func mark(_ response: inout Response, to request: Request) {
        guard !origins.isEmpty, request.method != .options else { return }
        response.headers[.vary] = (response.headers[.vary].map { "\($0), " } ?? "") + "Origin"
        guard let origin = allowed(request) else { return }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] = Self.exposed
    }

    private func allowed(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        if origins.contains("*") { return "*" }
        return origins.contains(origin) ? origin : nil
    }
}
