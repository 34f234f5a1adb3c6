import Foundation
import HTTPTypes
import Hummingbird
import Inference
import Logging
import NIOCore

/// The routes that take a body: from there to the answer, whole or streamed.
///
/// All APIs share the way from a job to its events; their shapes only translate.
struct Answering: Sendable {
    let engine: any Engine
    let model: ServedModel
    let responses: any ResponseStore
    let configuration: GatewayConfiguration
    let logger: Logger
    let channel: any Channel
    let identity: ClientIdentity
    let farewell: Ending
    let filter: ContentFilter?
    let audit: AuditEntry?
    let requestID: String
    let trace: TraceContext?
    let metrics: GatewayMetrics
    /// When the request came in.
    let began: ContinuousClock.Instant

    /// `POST /v1/completions`
    func complete(_ body: JSONValue) async throws -> Response {
        let parameters = try CompletionParameters(body, configuration: configuration)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let prompts = try parameters.prompts.map { prompt in
            switch prompt {
            // A prompt may be written in the model's own format, so its special tokens count (as in vLLM).
            case .text(let text):
                try codec.encode(text, addingBeginning: parameters.addsSpecialTokens, parsingSpecial: true)
            case .tokens(let tokens): tokens
            }
        }
        for prompt in prompts {
            try AnswerJob.check(prompt: prompt, maxTokens: parameters.maxTokens, model: model, parameter: "prompt")
        }
        try await check(
            zip(parameters.prompts, prompts).map { prompt, tokens in
                if case .text(let text) = prompt { text } else { codec.decode(tokens) }
            })
        let longest = prompts.reduce(0) { max($0, $1.count) }
        let job = AnswerJob(
            id: "cmpl-" + RandomName.make(), createdSeconds: Self.now, model: model, codec: codec,
            shared: parameters.shared, prompts: prompts,
            maxTokens: parameters.maxTokens
                ?? min(CompletionParameters.defaultMaxTokens, model.contextLength - longest),
            echoes: parameters.echoes, logprobCount: parameters.logprobCount, continuesText: true, listsEndToken: true,
            timeoutMilliseconds: configuration.requestTimeoutMilliseconds,
            grammar: try parameters.shared.format?.gbnf(),
            client: client(parameters.shared), key: identity.key)
        return try await answer(job, shape: CompletionShape(job: job))
    }

    /// `POST /v1/chat/completions`
    func chat(_ body: JSONValue) async throws -> Response {
        let parameters = try ChatParameters(body, configuration: configuration)
        let (model, codec) = try await model.current()
        try ModelShape.check(parameters.shared.model, model)
        let style = codec.toolStyle
        let prompt = try codec.encode(chat: style.turns(guarded(parameters.turns), tools: parameters.tools))
        let format = parameters.shared.format
        let grammar = try parameters.tools?.gbnf(style, format: format) ?? format?.gbnf()
        try AnswerJob.check(prompt: prompt, maxTokens: parameters.maxTokens, model: model, parameter: "messages")
        try await check(parameters.turns)
        let job = AnswerJob(
            id: "chatcmpl-" + RandomName.make(), createdSeconds: Self.now, model: model, codec: codec,
            shared: parameters.shared, prompts: [prompt], maxTokens: parameters.maxTokens, echoes: false,
            logprobCount: parameters.logprobCount, continuesText: false, listsEndToken: false,
            timeoutMilliseconds: configuration.requestTimeoutMilliseconds, grammar: grammar,
            client: client(parameters.shared), key: identity.key)
        return try await answer(
            job, shape: parameters.tools == nil ? ChatShape(job: job) : ToolChatShape(job: job, style: style))
    }

    /// Who shares the cluster with others: the user whom a request names, or else the machine that it comes from.
    func client(_ shared: SharedParameters) -> String {
        if let user = shared.labels.safetyIdentifier ?? shared.labels.user {
            // Short, and without the character that ends strings in C.
            return "user "
                + String(decoding: user.utf8.prefix(Self.maxClientByteCount).filter { $0 != 0 }, as: UTF8.self)
        }
        return channel.remoteAddress?.ipAddress.map { "address \($0)" } ?? ""
    }

    private static let maxClientByteCount = 240

    /// A job with one prompt and one choice, whose answer may have what the context leaves and no more than `maxTokens`.
    func conversationJob(
        id: String, model: ModelDescription, codec: any TextCodec, shared: SharedParameters, prompt: [Int32],
        maxTokens: Int?, logprobCount: Int? = nil, continuesText: Bool = false, listsEndToken: Bool = false,
        grammar: String? = nil
    ) throws -> AnswerJob {
        AnswerJob(
            id: id, createdSeconds: Self.now, model: model, codec: codec, shared: shared, prompts: [prompt],
            maxTokens: min(maxTokens ?? .max, model.contextLength - prompt.count), echoes: false,
            logprobCount: logprobCount, continuesText: continuesText, listsEndToken: listsEndToken,
            timeoutMilliseconds: configuration.requestTimeoutMilliseconds,
            grammar: try grammar ?? shared.format?.gbnf(), client: client(shared), key: identity.key)
    }

    static var now: Int { Int(Date().timeIntervalSince1970) }

    /// Sends a job to the engine and answers in the shape of an API.
    func answer(_ job: AnswerJob, shape: any AnswerShape) async throws -> Response {
        let run = try await run(job)
        return job.shared.isStreamed
            ? streamed(run, job: job, shape: shape) : try await whole(run, job: job, shape: shape)
    }

    /// Hands a job to the engine; what comes back is held against the filter.
    func run(_ job: AnswerJob) async throws -> AnswerRun {
        var job = job
        job.requestID = requestID
        job.trace = trace
        job.filter = filter
        audit?.note("model", .string(job.model.id))
        var judge: (@Sendable (String) async throws -> String?)?
        if let filter, filter.checksWholeAnswers {
            judge = { [logger] text in try await filter.objection(toOutput: text, logger: logger) }
        }
        return try await AnswerRun(
            engine: engine, job: job, connection: await ConnectionWatch.connection(of: channel),
            farewell: farewell, concurrentPromptCount: max(configuration.concurrentPromptCount, 1),
            meter: AnswerMeter(metrics, began: began, choiceCount: job.choiceCount), judge: judge)
    }

    private func whole(_ run: AnswerRun, job: AnswerJob, shape: any AnswerShape) async throws -> Response {
        let (choices, usage) = try await collect(run, job: job)
        var response = GatewayResponder.json(try await shape.whole(choices, usage: usage))
        response.headers.tell(run.limits)
        return response
    }

    /// Waits for all that is to come.
    func collect(_ run: AnswerRun, job: AnswerJob) async throws -> (choices: [ChoiceDelta], usage: AnswerUsage) {
        var choices = Array(repeating: ChoiceDelta(), count: job.choiceCount)
        let usage = try await run.forEach { item in
            guard case .delta(let choice, let delta) = item else { return }
            note(delta, choice)
            choices[choice].append(delta)
        }
        log(job, usage)
        return (choices, usage)
    }

    private func streamed(_ run: AnswerRun, job: AnswerJob, shape: any AnswerShape) -> Response {
        var headers: HTTPFields = [
            .contentType: shape.framing.contentType, .cacheControl: "no-cache",
        ]
        // nginx would collect the events otherwise.
        if let name = HTTPField.Name("x-accel-buffering") { headers[name] = "no" }
        headers.tell(run.limits)
        audit?.continueLater()
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                let pace = WritePace()
                var shape = shape
                var stream = AnswerStream(writer, framing: shape.framing, pace: pace)
                do {
                    let usage = try await write(run, shape: &shape, pace: pace, to: &stream)
                    log(job, usage)
                    audit?.write(status: 200)
                } catch is ClientGone {
                    audit?.write(status: 200, error: "the client went away")
                    logger.info("client went away", metadata: ["id": .string(job.id)])
                    throw ClientGone()
                } catch {
                    audit?.write(status: 200, error: APIError(error).message)
                    // Too late for a status code. No [DONE]: the answer is not complete.
                    logger.warning(
                        "stream failed", metadata: ["id": .string(job.id), "error": .string(String(describing: error))])
                    for chunk in shape.failure(APIError(error)) { try await stream.send(chunk) }
                }
                try await stream.finish()
            })
    }

    private func write(
        _ run: AnswerRun, shape: inout any AnswerShape, pace: WritePace, to stream: inout AnswerStream
    ) async throws -> AnswerUsage {
        let keepAlive = Duration.milliseconds(max(configuration.keepAliveMilliseconds, 1))
        let patience = Duration.milliseconds(configuration.slowClientMilliseconds)
        for chunk in shape.opening() { try await stream.send(chunk) }
        let usage = try await run.forEach(
            lookout: (
                pace: keepAlive / 4,
                isSilent: { [channel] in
                    if let stall = pace.stall, stall > patience { channel.close(promise: nil) }
                    return pace.silence >= keepAlive
                }
            )
        ) { item in
            switch item {
            case .silence:
                if let chunk = shape.keepAlive() {
                    try await stream.send(chunk)
                } else {
                    try await stream.sendComment()
                }
            case .delta(let choice, let delta):
                note(delta, choice)
                for chunk in shape.chunk(delta, choice: choice) { try await stream.send(chunk) }
            }
        }
        for chunk in try await shape.closing(usage) { try await stream.send(chunk) }
        try await stream.sendDone()
        return usage
    }

    private func note(_ delta: ChoiceDelta, _ choice: Int) {
        audit?.note(output: delta.text, choice: choice)
        guard let rule = delta.filterRule else { return }
        audit?.note(rule: rule, choice: choice)
        logger.info("the filter ended an answer", metadata: ["rule": .string(rule)])
    }

    private func log(_ job: AnswerJob, _ usage: AnswerUsage) {
        audit?.note(usage)
        logger.info(
            "generated",
            metadata: [
                "id": .string(job.id), "prompt_tokens": .stringConvertible(usage.promptTokenCount),
                "completion_tokens": .stringConvertible(usage.completionTokenCount),
                "cached_tokens": .stringConvertible(usage.cachedTokenCount),
            ])
    }
}
