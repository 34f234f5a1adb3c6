import CWire
public import Inference

extension ModelDescription: WireMessage {
    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.modelDescription(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "ModelDescription", phalanx__v1__model_description__unpack) {
            message throws(WireError) in try unsafe ModelDescription(wire: message)
        }
    }

    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__ModelDescription>) throws(WireError) {
        let message = unsafe pointer.pointee
        let numbers = 1...Int(Int32.max)
        self.init(
            id: try unsafe WireReader.string(message.id, "ModelDescription.id"),
            name: try unsafe WireReader.string(message.name, "ModelDescription.name"),
            fingerprint: try unsafe WireReader.string(message.fingerprint, "ModelDescription.fingerprint"),
            systemFingerprint: try unsafe WireReader.string(
                message.system_fingerprint, "ModelDescription.system_fingerprint"),
            contextLength: try WireReader.int(
                unsafe message.context_length, numbers, "ModelDescription.context_length"),
            vocabularySize: try WireReader.int(
                unsafe message.vocabulary_size, numbers, "ModelDescription.vocabulary_size"),
            layerCount: try WireReader.int(unsafe message.layer_count, numbers, "ModelDescription.layer_count"),
            parameterCount: try WireReader.count(
                unsafe message.parameter_count, "ModelDescription.parameter_count"),
            endOfSequenceTokens: try unsafe WireReader.array(
                message.end_of_sequence_tokens, message.n_end_of_sequence_tokens, limit: WireLimits.tokenCount,
                "ModelDescription.end_of_sequence_tokens"),
            tokenizerHash: try unsafe WireReader.string(message.tokenizer_hash, "ModelDescription.tokenizer_hash"),
            createdSeconds: try WireReader.count(
                unsafe message.created_seconds, "ModelDescription.created_seconds"),
            card: try unsafe WireReader.text(
                message.card, "ModelDescription.card", limit: WireLimits.cardByteCount),
            architecture: try unsafe WireReader.string(message.architecture, "ModelDescription.architecture"),
            quantization: try unsafe WireReader.string(message.quantization, "ModelDescription.quantization"),
            weightByteCount: try WireReader.count(
                unsafe message.weight_byte_count, "ModelDescription.weight_byte_count"),
            license: try unsafe WireReader.text(message.license, "ModelDescription.license"),
            hiddenSize: try WireReader.int(
                unsafe message.hidden_size, 0...WireLimits.hiddenSize, "ModelDescription.hidden_size"))
    }
}

extension ClusterStatus: WireMessage {
    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.clusterStatus(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "ClusterStatus", phalanx__v1__cluster_status__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            return ClusterStatus(
                state: try unsafe State(wire: message.state),
                reason: try unsafe WireReader.text(message.reason, "ClusterStatus.reason"),
                epoch: try unsafe Epoch(wire: message.epoch, "ClusterStatus.epoch"),
                model: try unsafe ModelDescription(wire: WireReader.required(message.model, "ClusterStatus.model")),
                workers: try unsafe WireReader.messages(
                    message.workers, message.n_workers, limit: WireLimits.workerCount, "ClusterStatus.workers"
                ) { worker throws(WireError) in try unsafe WorkerStatus(wire: worker) },
                runningRequestCount: try WireReader.count(
                    unsafe message.running_request_count, "ClusterStatus.running_request_count"),
                waitingRequestCount: try WireReader.count(
                    unsafe message.waiting_request_count, "ClusterStatus.waiting_request_count"),
                completedRequestCount: try WireReader.count(
                    unsafe message.completed_request_count, "ClusterStatus.completed_request_count"),
                generatedTokenCount: try WireReader.count(
                    unsafe message.generated_token_count, "ClusterStatus.generated_token_count"),
                uptimeSeconds: try WireReader.finite(unsafe message.uptime_seconds, "ClusterStatus.uptime_seconds"),
                servedPlanCount: try WireReader.count(
                    unsafe message.served_plan_count, "ClusterStatus.served_plan_count"),
                interruptionCount: try WireReader.count(
                    unsafe message.interruption_count, "ClusterStatus.interruption_count"),
                workerFailureCount: try WireReader.count(
                    unsafe message.worker_failure_count, "ClusterStatus.worker_failure_count"),
                scheduling: try unsafe SchedulingActivity(
                    wire: WireReader.required(message.scheduling, "ClusterStatus.scheduling")))
        }
    }
}

extension ClusterStatus.State {
    fileprivate init(wire state: Phalanx__V1__ClusterState) throws(WireError) {
        switch state {
        case PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_WAITING: self = .waiting
        case PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_LOADING: self = .loading
        case PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_READY: self = .ready
        default: throw WireError("ClusterStatus.state", "\(state.rawValue) is not known")
        }
    }

    fileprivate var wire: Phalanx__V1__ClusterState {
        switch self {
        case .waiting: PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_WAITING
        case .loading: PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_LOADING
        case .ready: PHALANX__V1__CLUSTER_STATE__CLUSTER_STATE_READY
        }
    }
}

extension WorkerStatus {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__WorkerStatus>) throws(WireError) {
        let message = unsafe pointer.pointee
        var layers: LayerRange?
        if let range = unsafe message.layers { layers = try unsafe LayerRange(wire: range, "WorkerStatus.layers") }
        var load: LoadProgress?
        if let state = unsafe message.load { load = try unsafe LoadProgress(wire: state) }
        self.init(
            id: NodeID(try unsafe WireReader.string(message.id, "WorkerStatus.id")),
            address: try unsafe WireReader.string(
                message.address, "WorkerStatus.address", limit: 2 * WireLimits.nameByteCount),
            processID: try WireReader.count(unsafe message.process_id, "WorkerStatus.process_id"),
            state: try unsafe State(wire: message.state),
            replica: try unsafe WireReader.count(message.replica, 0...WireLimits.workerCount, "WorkerStatus.replica"),
            layers: layers,
            threadCount: try WireReader.count(unsafe message.thread_count, "WorkerStatus.thread_count"),
            memoryLimitByteCount: try WireReader.count(
                unsafe message.memory_limit_byte_count, "WorkerStatus.memory_limit_byte_count"),
            memoryByteCount: try WireReader.count(
                unsafe message.memory_byte_count, "WorkerStatus.memory_byte_count"),
            loadedFraction: try WireReader.finite(unsafe message.loaded_fraction, "WorkerStatus.loaded_fraction"),
            load: load,
            tokensPerSecond: try WireReader.finite(
                unsafe message.tokens_per_second, "WorkerStatus.tokens_per_second"),
            busyFraction: try WireReader.finite(unsafe message.busy_fraction, "WorkerStatus.busy_fraction"),
            bubbleFraction: try WireReader.finite(unsafe message.bubble_fraction, "WorkerStatus.bubble_fraction"),
            busySeconds: try WireReader.finite(unsafe message.busy_seconds, "WorkerStatus.busy_seconds"),
            rowCount: try WireReader.count(unsafe message.row_count, "WorkerStatus.row_count"),
            silentSeconds: try WireReader.finite(unsafe message.silent_seconds, "WorkerStatus.silent_seconds"),
            detail: try unsafe WireReader.text(message.detail, "WorkerStatus.detail"))
    }
}

extension WorkerStatus.State {
    fileprivate init(wire state: Phalanx__V1__WorkerState) throws(WireError) {
        switch state {
        case PHALANX__V1__WORKER_STATE__WORKER_STATE_JOINED: self = .joined
        case PHALANX__V1__WORKER_STATE__WORKER_STATE_LOADING: self = .loading
        case PHALANX__V1__WORKER_STATE__WORKER_STATE_READY: self = .ready
        case PHALANX__V1__WORKER_STATE__WORKER_STATE_FAILED: self = .failed
        case PHALANX__V1__WORKER_STATE__WORKER_STATE_LOST: self = .lost
        default: throw WireError("WorkerStatus.state", "\(state.rawValue) is not known")
        }
    }

    fileprivate var wire: Phalanx__V1__WorkerState {
        switch self {
        case .joined: PHALANX__V1__WORKER_STATE__WORKER_STATE_JOINED
        case .loading: PHALANX__V1__WORKER_STATE__WORKER_STATE_LOADING
        case .ready: PHALANX__V1__WORKER_STATE__WORKER_STATE_READY
        case .failed: PHALANX__V1__WORKER_STATE__WORKER_STATE_FAILED
        case .lost: PHALANX__V1__WORKER_STATE__WORKER_STATE_LOST
        }
    }
}

extension WireArena {
    fileprivate func modelDescription(_ model: ModelDescription) -> UnsafeMutablePointer<Phalanx__V1__ModelDescription>
    {
        let message = unsafe make(phalanx__v1__model_description__init)
        unsafe message.pointee.id = unsafe string(model.id)
        unsafe message.pointee.name = unsafe string(model.name)
        unsafe message.pointee.fingerprint = unsafe string(model.fingerprint)
        unsafe message.pointee.system_fingerprint = unsafe string(model.systemFingerprint)
        unsafe message.pointee.context_length = UInt32(clamping: model.contextLength)
        unsafe message.pointee.vocabulary_size = UInt32(clamping: model.vocabularySize)
        unsafe message.pointee.layer_count = UInt32(clamping: model.layerCount)
        unsafe message.pointee.parameter_count = UInt64(clamping: model.parameterCount)
        unsafe message.pointee.end_of_sequence_tokens = unsafe array(model.endOfSequenceTokens)
        unsafe message.pointee.n_end_of_sequence_tokens = model.endOfSequenceTokens.count
        unsafe message.pointee.tokenizer_hash = unsafe string(model.tokenizerHash)
        unsafe message.pointee.created_seconds = UInt64(clamping: model.createdSeconds)
        unsafe message.pointee.card = unsafe optionalText(model.card, limit: WireLimits.cardByteCount)
        unsafe message.pointee.architecture = unsafe string(model.architecture)
        unsafe message.pointee.quantization = unsafe string(model.quantization)
        unsafe message.pointee.weight_byte_count = UInt64(clamping: model.weightByteCount)
        unsafe message.pointee.license = unsafe optionalText(model.license)
        unsafe message.pointee.hidden_size = UInt32(clamping: model.hiddenSize)
        return unsafe message
    }

    fileprivate func clusterStatus(_ status: ClusterStatus) -> UnsafeMutablePointer<Phalanx__V1__ClusterStatus> {
        let message = unsafe make(phalanx__v1__cluster_status__init)
        unsafe message.pointee.state = status.state.wire
        unsafe message.pointee.reason = unsafe optionalText(status.reason)
        unsafe message.pointee.epoch = unsafe epoch(status.epoch)
        unsafe message.pointee.model = unsafe modelDescription(status.model)
        unsafe message.pointee.workers = unsafe messages(status.workers) { unsafe workerStatus($0) }
        unsafe message.pointee.n_workers = status.workers.count
        unsafe message.pointee.running_request_count = UInt64(clamping: status.runningRequestCount)
        unsafe message.pointee.waiting_request_count = UInt64(clamping: status.waitingRequestCount)
        unsafe message.pointee.completed_request_count = UInt64(clamping: status.completedRequestCount)
        unsafe message.pointee.generated_token_count = UInt64(clamping: status.generatedTokenCount)
        unsafe message.pointee.uptime_seconds = status.uptimeSeconds
        unsafe message.pointee.served_plan_count = UInt64(clamping: status.servedPlanCount)
        unsafe message.pointee.interruption_count = UInt64(clamping: status.interruptionCount)
        unsafe message.pointee.worker_failure_count = UInt64(clamping: status.workerFailureCount)
        unsafe message.pointee.scheduling = unsafe schedulingActivity(status.scheduling)
        return unsafe message
    }

    private func workerStatus(_ worker: WorkerStatus) -> UnsafeMutablePointer<Phalanx__V1__WorkerStatus> {
        let message = unsafe make(phalanx__v1__worker_status__init)
        unsafe message.pointee.id = unsafe string(worker.id.rawValue)
        unsafe message.pointee.address = unsafe string(worker.address)
        unsafe message.pointee.process_id = UInt64(clamping: worker.processID)
        unsafe message.pointee.state = worker.state.wire
        unsafe message.pointee.replica = unsafe count(worker.replica)
        unsafe message.pointee.layers = unsafe layers(worker.layers)
        unsafe message.pointee.thread_count = UInt32(clamping: worker.threadCount)
        unsafe message.pointee.memory_limit_byte_count = UInt64(clamping: worker.memoryLimitByteCount)
        unsafe message.pointee.memory_byte_count = UInt64(clamping: worker.memoryByteCount)
        unsafe message.pointee.loaded_fraction = worker.loadedFraction
        if let load = worker.load { unsafe message.pointee.load = unsafe loadState(load) }
        unsafe message.pointee.tokens_per_second = worker.tokensPerSecond
        unsafe message.pointee.busy_fraction = worker.busyFraction
        unsafe message.pointee.bubble_fraction = worker.bubbleFraction
        unsafe message.pointee.busy_seconds = worker.busySeconds
        unsafe message.pointee.row_count = UInt64(clamping: worker.rowCount)
        unsafe message.pointee.silent_seconds = worker.silentSeconds
        unsafe message.pointee.detail = unsafe optionalText(worker.detail)
        return unsafe message
    }
}
