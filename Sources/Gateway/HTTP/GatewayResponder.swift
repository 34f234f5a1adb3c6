import Foundation
import HTTPTypes
import Hummingbird
import Inference
import Logging
import NIOCore
import NIOHTTP1

/// Finds the route of a request, and turns errors into OpenAI's error objects.
struct GatewayResponder: HTTPResponder {
    typealias Context = GatewayContext

    private enum Route: Hashable {
        case models
        case model(String)
        case completions, chatCompletions, health, readiness, status

        var method: HTTPRequest.Method {
            switch self {
            case .completions, .chatCompletions: .post
            case .models, .model, .health, .readiness, .status: .get
            }
        }
    }

    let engine: any Engine
    let model: ServedModel
    let configuration: GatewayConfiguration
    let logger: Logger

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let start = ContinuousClock.now
        let requestID = Self.requestID(request.headers)
        var logger = logger
        logger[metadataKey: "request_id"] = .string(requestID)
        var response: Response
        do {
            response = try await answer(request, context: context, logger: logger)
        } catch let error as HTTPParserError {
            // The server closes the connection with a 400 of its own.
            throw error
        } catch is ClientGone {
            logger.info("client went away", metadata: ["path": .string(request.uri.path)])
            response = Self.json(APIError(.unavailable, "The client went away.").body, status: .serviceUnavailable)
        } catch {
            response = failure(error, request: request, context: context, logger: logger)
        }
        response.headers[.requestID] = requestID
        if request.method == .head { response = response.createHeadResponse() }
        logger.log(
            level: request.method == .get ? .debug : .info, "answered",
            metadata: [
                "method": .string(request.method.rawValue), "path": .string(String(request.uri.path.prefix(256))),
                "code": .stringConvertible(response.status.code),
                "milliseconds": .stringConvertible((ContinuousClock.now - start) / .milliseconds(1)),
            ])
        return response
    }

    private func answer(_ request: Request, context: GatewayContext, logger: Logger) async throws -> Response {
        if let page = WebPage.response(to: request) { return page }
        guard let route = Self.route(request.uri.path) else {
            throw APIError(
                .unknownRoute, "There is no \(request.method.rawValue) \(request.uri.path.prefix(256)) on this server.")
        }
        guard request.method == route.method || route.method == .get && request.method == .head else {
            throw APIError(
                .methodNotAllowed, "\(request.method.rawValue) is not allowed here; use \(route.method.rawValue).")
        }
        switch route {
        case .models: return Self.json(ModelShape.list(try await model.description()))
        case .model(let id): return Self.json(try ModelShape.single(try await model.description(), id: id))
        case .health: return Self.json(["status": "ok"])
        case .readiness: return await readiness()
        case .status:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            let data = try encoder.encode(try await engine.status())
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: Array(data))))
        case .completions, .chatCompletions:
            let body = try await RequestBodyReader.json(request, maxByteCount: configuration.maxBodyByteCount)
            let answering = Answering(
                engine: engine, model: model, configuration: configuration, logger: logger, channel: context.channel)
            return route == .completions ? try await answering.complete(body) : try await answering.chat(body)
        }
    }

    /// 200 when the cluster serves, 503 with the reason while it does not.
    private func readiness() async -> Response {
        do {
            let status = try await engine.status()
            guard status.state != .ready else { return Self.json(["status": "ready"]) }
            return Self.json(
                [
                    "status": .string(status.state.rawValue),
                    "reason": status.reason.map { .string($0) } ?? .null,
                ], status: .serviceUnavailable)
        } catch {
            return Self.json(
                ["status": "unavailable", "reason": .string(APIError(error).message)], status: .serviceUnavailable)
        }
    }

    private func failure(
        _ error: any Error, request: Request, context: GatewayContext, logger: Logger
    ) -> Response {
        let shown = APIError(error)
        if shown.kind == .internalError {
            logger.error("request failed", metadata: ["error": .string(String(describing: error))])
        }
        var response = Self.json(shown.body, status: shown.status)
        if let seconds = shown.retryAfterSeconds { response.headers[.retryAfter] = String(seconds) }
        if shown.kind == .methodNotAllowed, let route = Self.route(request.uri.path) {
            response.headers[.allow] = route.method == .get ? "GET, HEAD" : route.method.rawValue
        }
        if shown.kind == .bodyTooLarge {
            // The rest of the body would be read to its end; give the client a moment to read the answer instead.
            response.headers[.connection] = "close"
            let channel = context.channel
            channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        }
        return response
    }

    private static func route(_ path: String) -> Route? {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        switch path {
        case "/v1/models": return .models
        case "/v1/completions": return .completions
        case "/v1/chat/completions": return .chatCompletions
        case "/healthz", "/health": return .health
        case "/readyz": return .readiness
        case "/status": return .status
        default:
            // Names of models may have slashes in them.
            guard path.hasPrefix("/v1/models/"), let id = path.dropFirst(11).removingPercentEncoding else { return nil }
            return .model(id)
        }
    }

    /// The client's own id for the request when it is a harmless one, or else a new one.
    private static func requestID(_ headers: HTTPFields) -> String {
        if let id = headers[.requestID], (1...128).contains(id.utf8.count),
            id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        {
            return id
        }
        return "req-" + RandomName.make()
    }

    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.encoded)))
    }
}

extension HTTPField.Name {
    /// `x-request-id`; the name is a valid token, so it is always there.
    fileprivate static let requestID = HTTPField.Name("x-request-id") ?? .via
}

/// Names for requests and answers.
enum RandomName {
    /// 32 hexadecimal digits that nobody can guess.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
