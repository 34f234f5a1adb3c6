import Foundation
import HTTPTypes
import Hummingbird
import Inference
import Logging
import NIOCore
import NIOHTTP1

/// Finds the route of a request, and turns errors into the error objects of the route's API.
struct GatewayResponder: HTTPResponder {
    typealias Context = GatewayContext

    let engine: any Engine
    let model: ServedModel
    let responses: any ResponseStore
    let configuration: GatewayConfiguration
    let metrics: GatewayMetrics
    let logger: Logger
    let farewell: Ending
    private let cors: CORSPolicy
    private let filter: ContentFilter?
    private let auditLog: AuditLog?

    init(
        engine: any Engine, model: ServedModel, responses: any ResponseStore, configuration: GatewayConfiguration,
        metrics: GatewayMetrics, logger: Logger, farewell: Ending, filter: ContentFilter?, auditLog: AuditLog?
    ) {
        self.engine = engine
        self.model = model
        self.responses = responses
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        self.farewell = farewell
        cors = CORSPolicy(configuration.corsOrigins)
        self.filter = filter
        self.auditLog = auditLog
    }

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let requestID = Self.requestID(request.headers)
        var logger = logger
        logger[metadataKey: "request_id"] = .string(requestID)
        let trace = TraceContext(headers: request.headers)
        for (key, value) in trace?.logFields ?? [] { logger[metadataKey: key] = .string(value) }
        let audit = audit(request, requestID)
        var response: Response
        do {
            response = try await answer(
                request, context: context, requestID: requestID, trace: trace, logger: logger, audit: audit)
        } catch let error as HTTPParserError {
            // The server closes the connection with a 400 of its own.
            throw error
        } catch is ClientGone {
            logger.info("client went away", metadata: ["path": .string(request.uri.path)])
            response = Self.json(APIError(.unavailable, "The client went away.").body, status: .serviceUnavailable)
        } catch {
            response = failure(error, request: request, requestID: requestID, context: context, logger: logger)
        }
        audit?.end(status: response.status.code)
        response.headers[.requestID] = requestID
        cors.mark(&response, to: request)
        metrics.answered(
            route: Route.label(of: request), method: request.method,
            code: response.status.code)
        if request.method == .head { response = response.createHeadResponse() }
        logger.log(
            level: request.method == .get ? .debug : .info, "answered",
            metadata: [
                "method": .string(request.method.rawValue), "path": .string(String(request.uri.path.prefix(256))),
                "code": .stringConvertible(response.status.code),
                "milliseconds": .stringConvertible((ContinuousClock.now - context.began) / .milliseconds(1)),
            ])
        return response
    }

    /// What the audit log shall say of a request; nil for those that send nothing.
    private func audit(_ request: Request, _ requestID: String) -> AuditEntry? {
        guard let auditLog, ![.get, .head, .options].contains(request.method) else { return nil }
        return AuditEntry(
            auditLog, requestID: requestID, method: request.method.rawValue,
            path: String(request.uri.path.prefix(256)))
    }

    private func answer(
        _ request: Request, context: GatewayContext, requestID: String, trace: TraceContext?, logger: Logger,
        audit: AuditEntry?
    ) async throws -> Response {
        if let preflight = cors.preflight(request) { return preflight }
        if let page = WebPage.response(to: request) { return page }
        let match = Route.match(request.uri.path)
        var identity = ClientIdentity.anybody
        if match?.route(request.method)?.isOpen != true {
            identity = try await ClientIdentity(request.headers, engine: engine)
            if let name = identity.name { audit?.note("client", .string(name)) }
        }
        guard let match else {
            throw APIError(
                .unknownRoute, "There is no \(request.method.rawValue) \(request.uri.path.prefix(256)) on this server.")
        }
        guard let route = match.route(request.method) else {
            throw APIError(
                .methodNotAllowed,
                "\(request.method.rawValue) is not allowed here; use \(match.allowed).")
        }
        let answering = Answering(
            engine: engine, model: model, responses: ClientResponseStore(responses, of: identity),
            configuration: configuration, logger: logger, channel: context.channel, identity: identity,
            farewell: farewell, filter: filter, audit: audit, requestID: requestID, trace: trace, metrics: metrics,
            began: context.began)
        func body() async throws -> JSONValue {
            try await RequestBodyReader.json(request, maxByteCount: configuration.maxBodyByteCount)
        }
        switch route {
        case .root: return Self.text("Ollama is running")
        case .models: return Self.json(ModelShape.list(try await model.description()))
        case .model: return Self.json(try ModelShape.single(try await model.description(), id: match.id))
        case .completions: return try await answering.complete(try await body())
        case .chatCompletions: return try await answering.chat(try await body())
        case .tokenize: return try await answering.tokenize(try await body())
        case .detokenize: return try await answering.detokenize(try await body())
        case .tokenizerInfo: return try await answering.tokenizerInfo()
        case .createResponse: return try await answering.respond(try await body())
        case .response: return try await answering.response(match.id, query: request.uri.queryParameters)
        case .deleteResponse: return try await answering.deleteResponse(match.id)
        case .messages: return try await answering.message(try await body(), headers: request.headers)
        case .countMessageTokens: return try await answering.countTokens(try await body(), headers: request.headers)
        case .embeddings: return try await answering.embed(try await body())
        case .ollamaEmbed: return try await answering.ollamaEmbed(try await body())
        case .ollamaEmbedOne: return try await answering.ollamaEmbedOne(try await body())
        case .ollamaChat: return try await answering.ollamaChat(try await body())
        case .ollamaGenerate: return try await answering.ollamaGenerate(try await body())
        case .ollamaTags: return Self.json(OllamaModelShape.list(try await model.description()))
        case .ollamaShow: return try await answering.ollamaShow(try await body())
        case .ollamaRunning: return Self.json(OllamaModelShape.running(try await model.description()))
        case .ollamaVersion: return Self.json(["version": .string(OllamaModelShape.version)])
        case .health, .healthAlias: return Self.json(["status": "ok"])
        case .readiness: return await readiness()
        case .status: return Self.json(encoded: try Self.encode(try await engine.status()))
        case .metrics: return await report()
        case .openAPI: return Self.json(encoded: OpenAPIDocument.bytes)
        }
    }

    private static func encode(_ status: ClusterStatus) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return Array(try encoder.encode(status))
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

    /// What Prometheus scrapes. The coordinator is asked once, and what it does not tell in time is left out.
    private func report() async -> Response {
        let status = await withTaskGroup(of: ClusterStatus?.self) { group in
            group.addTask { try? await engine.status() }
            group.addTask {
                try? await Task.sleep(for: Self.scrapePatience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        let report = MetricsReport(
            metrics: metrics, process: ProcessFigures.read(), status: status, version: configuration.version)
        return Response(
            status: .ok, headers: [.contentType: MetricsText.contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: report.text().bytes)))
    }

    /// Prometheus waits 10 seconds unless it is told otherwise.
    private static let scrapePatience = Duration.seconds(4)

    private func failure(
        _ error: any Error, request: Request, requestID: String, context: GatewayContext, logger: Logger
    ) -> Response {
        let shown = APIError(error)
        if shown.kind == .internalError {
            logger.error("request failed", metadata: ["error": .string(String(describing: error))])
        }
        let face = APIFace(path: request.uri.path)
        var response = Self.json(shown.body(face, requestID: requestID), status: shown.status)
        if face == .anthropic { response.headers[.anthropicRequestID] = requestID }
        // OpenAI's clients try whatever ended with a 5xx again, unless they are told not to.
        if shown.kind == .requestFailed { response.headers[.shouldRetry] = "false" }
        if let seconds = shown.retryAfterSeconds { response.headers[.retryAfter] = String(seconds) }
        response.headers.tell(shown.limits)
        if shown.kind == .unauthenticated { response.headers[.wwwAuthenticate] = "Bearer realm=\"phalanx\"" }
        if shown.kind == .methodNotAllowed { response.headers[.allow] = Route.match(request.uri.path)?.allowed }
        if shown.kind == .bodyTooLarge {
            // The rest of the body would be read to its end; give the client a moment to read the answer instead.
            response.headers[.connection] = "close"
            let channel = context.channel
            channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        }
        return response
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
        json(encoded: value.encoded, status: status)
    }

    private static func json(encoded bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    private static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    /// `x-request-id`; the name is a valid token, so it is always there.
    fileprivate static let requestID = HTTPField.Name("x-request-id") ?? .via
    /// `request-id`, as Anthropic calls it.
    fileprivate static let anthropicRequestID = HTTPField.Name("request-id") ?? .via
    fileprivate static let shouldRetry = HTTPField.Name("x-should-retry") ?? .via
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
