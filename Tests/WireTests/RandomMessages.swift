import Inference
import TestSupport
import Wire

/// Random values of everything that travels, extreme ones among them.
struct RandomMessages {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func number(_ limit: Int) -> Int {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: 0
        case 1: limit
        default: Int.random(in: 0...limit, using: &random)
        }
    }

    mutating func uint64() -> UInt64 {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: 0
        case 1: .max
        default: random.next() >> UInt64.random(in: 0..<64, using: &random)
        }
    }

    mutating func flag() -> Bool { Bool.random(using: &random) }

    mutating func float() -> Float {
        [0, -0.0, 1, -1.5, .leastNonzeroMagnitude, .greatestFiniteMagnitude, Float.random(in: -9...9, using: &random)]
            .randomElement(using: &random) ?? 0
    }

    mutating func double() -> Double { Double(float()) * 1e30 }

    mutating func text(_ limit: Int = 40) -> String {
        let letters = Array("aZ09 /:.-_\n\u{1}é漢😀\u{10FFFF}")
        return String((0..<number(limit / 4)).map { _ in letters.randomElement(using: &random) ?? "a" })
    }

    mutating func tokens(_ limit: Int = 60) -> [Int32] { list(limit) { Int32($0.number(Int(Int32.max))) } }

    mutating func list<Element>(_ limit: Int, _ make: (inout Self) -> Element) -> [Element] {
        (0..<number(limit)).map { _ in make(&self) }
    }

    mutating func optional<Value>(_ make: (inout Self) -> Value) -> Value? { flag() ? make(&self) : nil }

    mutating func bytes(_ limit: Int) -> [UInt8] { list(limit) { UInt8($0.number(255)) } }

    mutating func enrolment() -> EnrolRequest {
        EnrolRequest(
            invitation: bytes(8), secret: bytes(32), role: text(), name: text(), certificateRequest: bytes(300))
    }

    mutating func certificates() -> CertificatesMessage {
        CertificatesMessage(chain: list(8) { $0.bytes(600) }, authorities: list(8) { $0.bytes(600) })
    }

    mutating func trustUpdate() -> TrustUpdate {
        TrustUpdate(authorities: list(8) { $0.bytes(600) }, revoked: list(20) { $0.text() })
    }

    mutating func epoch() -> Epoch { Epoch(term: uint64(), plan: uint64()) }

    mutating func layers() -> LayerRange {
        let first = number(100)
        return LayerRange(first: first, end: first + 1 + number(50)) ?? layers()
    }

    mutating func scored() -> ScoredToken {
        ScoredToken(
            token: Int32(number(Int(Int32.max))), logprob: flag() ? -.infinity : float(),
            top: list(8) { TokenLogprob(token: Int32($0.number(Int(Int32.max))), logprob: $0.float()) })
    }

    mutating func sampling() -> SamplingParameters {
        SamplingParameters(
            temperature: float(), topK: number(Int(UInt32.max)), topP: float(), minP: float(),
            presencePenalty: float(), frequencyPenalty: float(), repetitionPenalty: float(),
            logitBias: list(6) { LogitBias(token: Int32($0.number(Int(Int32.max))), bias: $0.float()) })
    }

    mutating func slice() -> Slice {
        Slice(
            sequence: SequenceID(uint64()), firstPosition: number(Int(UInt32.max)),
            tokens: [Int32(number(9))] + tokens(20), regime: flag() ? .long : .short,
            outputs: SliceOutputs(rawValue: UInt8(number(3))),
            pages: list(3) { random in
                PageAssignment(
                    firstLogicalPage: random.number(WireLimits.pageCount),
                    pages: random.list(9) { PageID(UInt32($0.number(Int(UInt32.max)))) })
            },
            mask: optional { random in TokenMask(words: [random.uint64()] + random.list(9) { $0.uint64() }) })
    }

    mutating func step() -> Step {
        Step(
            epoch: epoch(), number: uint64(),
            admissions: list(3) { random in
                SequenceAdmission(
                    sequence: SequenceID(random.uint64()), prompt: random.tokens(), generated: random.tokens(),
                    sampling: random.sampling(), seed: random.uint64(), choice: random.number(127),
                    logprobCount: random.optional { $0.number(20) },
                    promptLogprobCount: random.optional { $0.number(20) }, request: RequestID(random.text()),
                    trace: random.trace()?.withoutState)
            },
            slices: list(4) { $0.slice() }, retired: list(5) { SequenceID($0.uint64()) })
    }

    mutating func trace() -> TraceContext? {
        guard flag() else { return nil }
        let parent = "00-000000000000000000000000000000\(flag() ? "a1" : "b2")-00f067aa0ba902b7-0\(flag() ? 1 : 0)"
        return TraceContext(traceparent: parent, tracestate: flag() ? "a=1,b@c=x y" : "")
    }

    mutating func result() -> StepResult {
        StepResult(
            epoch: epoch(), number: uint64(),
            slices: list(4) { random in
                SliceResult(
                    sequence: SequenceID(random.uint64()), sampled: random.optional { $0.scored() },
                    firstPromptPosition: random.number(Int(UInt32.max)), promptTokens: random.list(6) { $0.scored() },
                    embedding: random.optional { random in [random.float()] + random.list(9) { $0.float() } })
            })
    }

    mutating func workerMessage() -> WorkerMessage {
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
            .hello(
                WorkerHello(
                    protocolVersion: UInt32(number(9)), numericsVersion: UInt32(number(Int(UInt32.max))),
                    node: NodeID(text()), host: text(), port: number(65535), processID: number(1 << 40),
                    threadCount: number(1 << 20), memoryByteCount: number(1 << 50), bytesPerSecond: double(),
                    highestEpoch: epoch(), instructionSet: text()))
        case 1: .loadProgress(epoch: epoch(), load())
        case 2: .ready(epoch: epoch(), memoryByteCount: number(1 << 50))
        case 3: .failed(epoch: epoch(), message: text(2000), isLink: Bool.random(using: &random))
        case 4: .result(result())
        case 5:
            .heartbeat(
                Heartbeat(
                    epoch: epoch(), finishedStepCount: uint64(), layer: optional { $0.number(100) },
                    computedRowCount: uint64(), busyMicroseconds: uint64(), nextLinkUp: flag(),
                    recent: StageActivity(
                        windowMicroseconds: uint64(), busyMicroseconds: uint64(), bubbleMicroseconds: uint64())))
        case 6: .askToLeave
        case 7: .moved(epoch: epoch())
        default: .goodbye(reason: text())
        }
    }

    mutating func load() -> LoadProgress {
        LoadProgress(
            activity: LoadProgress.Activity.allCases.randomElement(using: &random) ?? .packing,
            doneByteCount: number(1 << 50), totalByteCount: number(1 << 50))
    }

    mutating func address() -> NodeAddress {
        NodeAddress(node: NodeID(text()), host: text(), port: 1 + number(65534))
    }

    mutating func assignment() -> StageAssignment {
        let stageCount = 1 + number(20)
        let stage = Int.random(in: 0..<stageCount, using: &random)
        let next = address()
        return StageAssignment(
            epoch: epoch(), stage: stage, stageCount: stageCount, layers: layers(), modelPath: text(400),
            modelFingerprint: text(), kvType: KVType.allCases[number(KVType.allCases.count - 1)],
            pageCount: 1 + number(1 << 30),
            maxRowCount: 1 + number(10000), vocabularyLimit: 1 + number(1 << 30),
            next: stage == stageCount - 1 ? nil : next,
            peers: (0..<number(4)).map { NodeAddress(node: NodeID(text()), host: text(), port: 1 + $0) },
            predecessor: optional { $0.epoch() },
            sources: list(4) { PageSource(layers: $0.layers(), address: $0.address()) })
    }

    mutating func readRequest() -> ReadRequest {
        let offset = number(1 << 40)
        let end = offset + 1 + number(WireLimits.weightReadByteCount - 1)
        return ReadRequest(
            fingerprint: text(), file: number(WireLimits.weightFileCount - 1), fileByteCount: end + number(1 << 40),
            range: offset..<end)
    }

    mutating func coordinatorMessage() -> CoordinatorMessage {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: .welcome(epoch: epoch(), heartbeatMilliseconds: 1 + number(10000))
        case 1: .refused(message: text(300))
        case 2: .assign(assignment())
        case 3: .step(step())
        case 4: .needed(reason: text(300))
        case 5: .takeOver(epoch: epoch())
        case 6: .retire(epoch: epoch())
        default: .shutdown(reason: text(300))
        }
    }

    mutating func model() -> ModelDescription {
        ModelDescription(
            id: text(), name: text(), fingerprint: text(), systemFingerprint: text(),
            contextLength: 1 + number(1 << 30),
            vocabularySize: 1 + number(1 << 30), layerCount: 1 + number(200), parameterCount: number(1 << 50),
            endOfSequenceTokens: tokens(5), tokenizerHash: text(), createdSeconds: number(1 << 40),
            card: optional { $0.text(3000) }, architecture: text(), quantization: text(),
            weightByteCount: number(1 << 50), license: optional { $0.text(300) }, hiddenSize: number(1 << 20))
    }

    mutating func status() -> ClusterStatus {
        ClusterStatus(
            state: [.waiting, .loading, .ready].randomElement(using: &random) ?? .ready,
            reason: optional { $0.text(300) }, epoch: epoch(), model: model(),
            workers: list(5) { random in
                WorkerStatus(
                    id: NodeID(random.text()), address: random.text(), processID: random.number(1 << 40),
                    state: [.joined, .loading, .ready, .failed, .lost].randomElement(using: &random.random) ?? .lost,
                    replica: random.optional { $0.number(1000) }, layers: random.optional { $0.layers() },
                    threadCount: random.number(999),
                    memoryLimitByteCount: random.number(1 << 50), memoryByteCount: random.number(1 << 50),
                    loadedFraction: random.double(), load: random.optional { $0.load() },
                    tokensPerSecond: random.double(), busyFraction: random.double(),
                    bubbleFraction: random.double(), busySeconds: random.double(), rowCount: random.number(1 << 50),
                    silentSeconds: random.double(),
                    detail: random.optional { $0.text(300) })
            },
            runningRequestCount: number(1 << 40), waitingRequestCount: number(1 << 40),
            completedRequestCount: number(1 << 40), generatedTokenCount: number(1 << 50), uptimeSeconds: double(),
            servedPlanCount: number(1 << 40), interruptionCount: number(1 << 40), workerFailureCount: number(1 << 40),
            scheduling: SchedulingActivity(
                pageCount: number(1 << 30), usedPageCount: number(1 << 30), cachedPageCount: number(1 << 30),
                lookedUpTokenCount: number(1 << 50), hitTokenCount: number(1 << 50), preemptionCount: number(1 << 40),
                stepCount: number(1 << 50), rowCount: number(1 << 50), microBatchCount: number(65),
                turnaround: LatencySummary(
                    count: number(1 << 50), medianMicroseconds: double(), p99Microseconds: double(),
                    mostMicroseconds: double(), totalMicroseconds: double())))
    }

    mutating func generateMessage() -> GenerateMessage {
        if Int.random(in: 0..<4, using: &random) == 0 { return .cancelChoice(number(127)) }
        return .request(
            GenerationRequest(
                id: RequestID(text()), prompt: tokens(200), generated: tokens(), choiceCount: number(128),
                maxTokens: optional { $0.number(.max) }, sampling: sampling(), seed: optional { $0.uint64() },
                ignoreEndOfSequence: flag(), stopTokens: tokens(9), logprobCount: optional { $0.number(20) },
                promptLogprobCount: optional { $0.number(20) }, timeoutMilliseconds: optional { $0.number(1 << 40) },
                client: text(), priority: Int(Int32.random(in: .min ... .max, using: &random)),
                cacheSalt: optional { $0.text() },
                grammar: optional { random in
                    GrammarConstraint(gbnf: random.text(70_000), beginsText: random.flag())
                }, wantsEmbedding: flag(), key: flag() ? keyHash() : nil, trace: trace()))
    }

    mutating func reply() -> EngineReply {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: .accepted(optional { $0.limits() })
        case 9: .event(.embedding(list(9) { $0.float() }))
        case 1: .event(.queued(ahead: number(1 << 40)))
        case 2: .event(.prefilled(tokenCount: number(1 << 30), of: number(1 << 30)))
        case 3: .event(.promptLogprobs(list(9) { $0.scored() }))
        case 4: .promptLogprobs(list(9) { $0.scored() })
        case 5: .event(.token(choice: number(127), scored()))
        case 6:
            .event(
                .finished(choice: number(127), [.stop, .length, .cancelled].randomElement(using: &random) ?? .stop))
        case 7:
            .event(
                .completed(
                    GenerationUsage(
                        promptTokenCount: number(1 << 40), cachedTokenCount: number(1 << 40),
                        completionTokenCount: number(1 << 40), queueMilliseconds: double(),
                        prefillMilliseconds: double(), decodeMilliseconds: double())))
        default: .error(error())
        }
    }

    mutating func error() -> EngineError {
        let codes: [EngineError.Code] = [
            .invalidRequest, .contextOverflow, .overloaded, .unavailable, .deadlineExceeded, .cancelled, .internal,
            .unauthenticated,
            .requestFailed,
        ]
        return EngineError(
            code: codes.randomElement(using: &random) ?? .internal, message: text(500),
            parameter: optional { $0.text() }, retryAfterSeconds: optional { $0.number(Int(Int32.max)) },
            limits: optional { $0.limits() })
    }

    mutating func limits() -> RateLimits {
        func allowance(_ random: inout Self) -> RateLimits.Allowance {
            RateLimits.Allowance(
                limit: random.number(1 << 40), remaining: random.number(1 << 40), resetMilliseconds: random.double())
        }
        return RateLimits(requests: optional(allowance), tokens: optional(allowance))
    }

    mutating func keyHash() -> KeyHash? { KeyHash((0..<32).map { _ in UInt8(number(255)) }) }

    mutating func authorizeReply() -> AuthorizeReply { flag() ? .client(optional { $0.text() }) : .error(error()) }

    mutating func activation(hiddenSize: Int) -> Activation {
        let step = step()
        let rows = (0..<(step.rowCount * hiddenSize * 4)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return Activation(step: step, rows: rows)
    }
}
