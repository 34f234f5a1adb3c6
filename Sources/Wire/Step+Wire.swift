import CWire
import Inference

extension WireArena {
    func step(_ step: Step) -> UnsafeMutablePointer<Phalanx__V1__Step> {
        let message = unsafe make(phalanx__v1__step__init)
        unsafe message.pointee.epoch = unsafe epoch(step.epoch)
        unsafe message.pointee.number = step.number
        unsafe message.pointee.admissions = unsafe messages(step.admissions) { unsafe admission($0) }
        unsafe message.pointee.n_admissions = step.admissions.count
        unsafe message.pointee.slices = unsafe messages(step.slices) { unsafe slice($0) }
        unsafe message.pointee.n_slices = step.slices.count
        unsafe message.pointee.retired = unsafe array(step.retired.map(\.rawValue))
        unsafe message.pointee.n_retired = step.retired.count
        return unsafe message
    }

    private func admission(_ admission: SequenceAdmission) -> UnsafeMutablePointer<Phalanx__V1__SequenceAdmission> {
        let message = unsafe make(phalanx__v1__sequence_admission__init)
        unsafe message.pointee.sequence = admission.sequence.rawValue
        unsafe message.pointee.prompt = unsafe array(admission.prompt)
        unsafe message.pointee.n_prompt = admission.prompt.count
        unsafe message.pointee.generated = unsafe array(admission.generated)
        unsafe message.pointee.n_generated = admission.generated.count
        unsafe message.pointee.sampling = unsafe sampling(admission.sampling)
        unsafe message.pointee.seed = admission.seed
        unsafe message.pointee.choice = UInt32(clamping: admission.choice)
        unsafe message.pointee.logprob_count = unsafe count(admission.logprobCount)
        unsafe message.pointee.prompt_logprob_count = unsafe count(admission.promptLogprobCount)
        unsafe message.pointee.request_id = unsafe text(admission.request.rawValue, limit: WireLimits.nameByteCount)
        unsafe message.pointee.traceparent = unsafe string(admission.trace?.traceparent ?? "")
        return unsafe message
    }

    private func slice(_ slice: Slice) -> UnsafeMutablePointer<Phalanx__V1__Slice> {
        let message = unsafe make(phalanx__v1__slice__init)
        unsafe message.pointee.sequence = slice.sequence.rawValue
        unsafe message.pointee.first_position = UInt32(clamping: slice.firstPosition)
        unsafe message.pointee.tokens = unsafe array(slice.tokens)
        unsafe message.pointee.n_tokens = slice.tokens.count
        unsafe message.pointee.regime =
            slice.regime == .long
            ? PHALANX__V1__ROPE_REGIME__ROPE_REGIME_LONG : PHALANX__V1__ROPE_REGIME__ROPE_REGIME_SHORT
        unsafe message.pointee.samples = slice.outputs.contains(.sample) ? 1 : 0
        unsafe message.pointee.scores_prompt = slice.outputs.contains(.promptLogprobs) ? 1 : 0
        unsafe message.pointee.pools = slice.outputs.contains(.embedding) ? 1 : 0
        unsafe message.pointee.pages = unsafe messages(slice.pages) { unsafe pageAssignment($0) }
        unsafe message.pointee.n_pages = slice.pages.count
        unsafe message.pointee.mask = unsafe array(slice.mask?.words ?? [])
        unsafe message.pointee.n_mask = slice.mask?.words.count ?? 0
        return unsafe message
    }

    private func pageAssignment(_ assignment: PageAssignment) -> UnsafeMutablePointer<Phalanx__V1__PageAssignment> {
        let message = unsafe make(phalanx__v1__page_assignment__init)
        unsafe message.pointee.first_logical_page = UInt32(clamping: assignment.firstLogicalPage)
        unsafe message.pointee.pages = unsafe array(assignment.pages.map(\.rawValue))
        unsafe message.pointee.n_pages = assignment.pages.count
        return unsafe message
    }

    func stepResult(_ result: StepResult) -> UnsafeMutablePointer<Phalanx__V1__StepResult> {
        let message = unsafe make(phalanx__v1__step_result__init)
        unsafe message.pointee.epoch = unsafe epoch(result.epoch)
        unsafe message.pointee.number = result.number
        unsafe message.pointee.slices = unsafe messages(result.slices) { unsafe sliceResult($0) }
        unsafe message.pointee.n_slices = result.slices.count
        return unsafe message
    }

    private func sliceResult(_ result: SliceResult) -> UnsafeMutablePointer<Phalanx__V1__SliceResult> {
        let message = unsafe make(phalanx__v1__slice_result__init)
        unsafe message.pointee.sequence = result.sequence.rawValue
        if let sampled = result.sampled { unsafe message.pointee.sampled = unsafe scoredToken(sampled) }
        unsafe message.pointee.first_prompt_position = UInt32(clamping: result.firstPromptPosition)
        unsafe message.pointee.prompt_tokens = unsafe messages(result.promptTokens) { unsafe scoredToken($0) }
        unsafe message.pointee.n_prompt_tokens = result.promptTokens.count
        unsafe message.pointee.embedding = unsafe array(result.embedding ?? [])
        unsafe message.pointee.n_embedding = result.embedding?.count ?? 0
        return unsafe message
    }
}

extension Step {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__Step>) throws(WireError) {
        let message = unsafe pointer.pointee
        let limit = WireLimits.sliceCount
        let step = Step(
            epoch: try unsafe Epoch(wire: message.epoch, "Step.epoch"), number: unsafe message.number,
            admissions: try unsafe WireReader.messages(
                message.admissions, message.n_admissions, limit: limit, "Step.admissions"
            ) { admission throws(WireError) in try unsafe SequenceAdmission(wire: admission) },
            slices: try unsafe WireReader.messages(message.slices, message.n_slices, limit: limit, "Step.slices") {
                slice throws(WireError) in try unsafe Slice(wire: slice)
            },
            retired: try unsafe WireReader.array(message.retired, message.n_retired, limit: limit, "Step.retired")
                .map { SequenceID($0) })
        guard step.rowCount <= WireLimits.rowCount else {
            throw WireError("Step.slices", "have \(step.rowCount) rows, at most \(WireLimits.rowCount) are allowed")
        }
        self = step
    }
}

extension SequenceAdmission {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__SequenceAdmission>) throws(WireError) {
        let message = unsafe pointer.pointee
        let limit = WireLimits.tokenCount
        let alternatives = 0...WireLimits.alternativeCount
        let field = "SequenceAdmission"
        self.init(
            sequence: SequenceID(unsafe message.sequence),
            prompt: try unsafe WireReader.array(message.prompt, message.n_prompt, limit: limit, "\(field).prompt"),
            generated: try unsafe WireReader.array(
                message.generated, message.n_generated, limit: limit, "\(field).generated"),
            sampling: try unsafe SamplingParameters(wire: message.sampling, "\(field).sampling"),
            seed: unsafe message.seed,
            choice: try WireReader.int(unsafe message.choice, 0...WireLimits.choiceCount, "\(field).choice"),
            logprobCount: try unsafe WireReader.count(message.logprob_count, alternatives, "\(field).logprob_count"),
            promptLogprobCount: try unsafe WireReader.count(
                message.prompt_logprob_count, alternatives, "\(field).prompt_logprob_count"),
            request: RequestID(try unsafe WireReader.string(message.request_id, "\(field).request_id")),
            trace: TraceContext(traceparent: try unsafe WireReader.string(message.traceparent, "\(field).traceparent")))
    }
}

extension Slice {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__Slice>) throws(WireError) {
        let message = unsafe pointer.pointee
        let tokens = try unsafe WireReader.array(
            message.tokens, message.n_tokens, limit: WireLimits.rowCount, "Slice.tokens")
        guard !tokens.isEmpty else { throw WireError("Slice.tokens", "are none") }
        let regimeNumber = unsafe message.regime.rawValue
        guard let regime = UInt8(exactly: regimeNumber).flatMap(RopeRegime.init(rawValue:)) else {
            throw WireError("Slice.regime", "\(regimeNumber) is not known")
        }
        var outputs: SliceOutputs = []
        if unsafe message.samples != 0 { outputs.insert(.sample) }
        if unsafe message.scores_prompt != 0 { outputs.insert(.promptLogprobs) }
        if unsafe message.pools != 0 { outputs.insert(.embedding) }
        let mask = try unsafe WireReader.array(
            message.mask, message.n_mask, limit: WireLimits.maskWordCount, "Slice.mask")
        self.init(
            sequence: SequenceID(unsafe message.sequence),
            firstPosition: try WireReader.count(unsafe message.first_position, "Slice.first_position"),
            tokens: tokens, regime: regime, outputs: outputs,
            pages: try unsafe WireReader.messages(
                message.pages, message.n_pages, limit: WireLimits.pageCount, "Slice.pages"
            ) { assignment throws(WireError) in try unsafe PageAssignment(wire: assignment) },
            mask: mask.isEmpty ? nil : TokenMask(words: mask))
    }
}

extension PageAssignment {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__PageAssignment>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            firstLogicalPage: try WireReader.int(
                unsafe message.first_logical_page, 0...WireLimits.pageCount, "PageAssignment.first_logical_page"),
            pages: try unsafe WireReader.array(
                message.pages, message.n_pages, limit: WireLimits.pageCount, "PageAssignment.pages"
            ).map { PageID($0) })
    }
}

extension StepResult {
    init(wire pointer: UnsafeMutablePointer<Phalanx__V1__StepResult>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            epoch: try unsafe Epoch(wire: message.epoch, "StepResult.epoch"), number: unsafe message.number,
            slices: try unsafe WireReader.messages(
                message.slices, message.n_slices, limit: WireLimits.sliceCount, "StepResult.slices"
            ) { slice throws(WireError) in try unsafe SliceResult(wire: slice) })
    }
}

extension SliceResult {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__SliceResult>) throws(WireError) {
        let message = unsafe pointer.pointee
        var sampled: ScoredToken?
        if let token = unsafe message.sampled { sampled = try unsafe ScoredToken(wire: token) }
        let embedding = try unsafe WireReader.array(
            message.embedding, message.n_embedding, limit: WireLimits.hiddenSize, "SliceResult.embedding")
        self.init(
            sequence: SequenceID(unsafe message.sequence), sampled: sampled,
            firstPromptPosition: try WireReader.count(
                unsafe message.first_prompt_position, "SliceResult.first_prompt_position"),
            promptTokens: try unsafe WireReader.messages(
                message.prompt_tokens, message.n_prompt_tokens, limit: WireLimits.scoredTokenCount,
                "SliceResult.prompt_tokens"
            ) { token throws(WireError) in try unsafe ScoredToken(wire: token) },
            embedding: embedding.isEmpty ? nil : embedding)
    }
}
