import CWire
public import Inference

extension CoordinatorMessage: WireMessage {
    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.coordinatorMessage(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "CoordinatorMessage", phalanx__v1__coordinator_message__unpack) {
            message throws(WireError) in try unsafe CoordinatorMessage(wire: message)
        }
    }

    private init(wire pointer: UnsafeMutablePointer<Phalanx__V1__CoordinatorMessage>) throws(WireError) {
        let message = unsafe pointer.pointee
        switch unsafe message.content_case {
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_WELCOME:
            let welcome = try unsafe WireReader.required(message.welcome, "CoordinatorMessage.welcome").pointee
            self = .welcome(
                epoch: try unsafe Epoch(wire: welcome.epoch, "Welcome.epoch"),
                heartbeatMilliseconds: try WireReader.int(
                    unsafe welcome.heartbeat_milliseconds, 1...3_600_000, "Welcome.heartbeat_milliseconds"))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_REFUSED:
            let refused = try unsafe WireReader.required(message.refused, "CoordinatorMessage.refused").pointee
            self = .refused(
                message: try unsafe WireReader.string(
                    refused.message, "Refused.message", limit: WireLimits.textByteCount))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_ASSIGN:
            self = .assign(
                try unsafe StageAssignment(wire: WireReader.required(message.assign, "CoordinatorMessage.assign")))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_STEP:
            self = .step(try unsafe Step(wire: WireReader.required(message.step, "CoordinatorMessage.step")))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_SHUTDOWN:
            let shutdown = try unsafe WireReader.required(message.shutdown, "CoordinatorMessage.shutdown").pointee
            self = .shutdown(
                reason: try unsafe WireReader.string(
                    shutdown.reason, "Shutdown.reason", limit: WireLimits.textByteCount))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_NEEDED:
            let needed = try unsafe WireReader.required(message.needed, "CoordinatorMessage.needed").pointee
            self = .needed(
                reason: try unsafe WireReader.string(needed.reason, "Needed.reason", limit: WireLimits.textByteCount))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_TAKE_OVER:
            let takeOver = try unsafe WireReader.required(message.take_over, "CoordinatorMessage.take_over").pointee
            self = .takeOver(epoch: try unsafe Epoch(wire: takeOver.epoch, "TakeOver.epoch"))
        case PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_RETIRE:
            let retire = try unsafe WireReader.required(message.retire, "CoordinatorMessage.retire").pointee
            self = .retire(epoch: try unsafe Epoch(wire: retire.epoch, "Retire.epoch"))
        default:
            throw WireError("CoordinatorMessage", "has no content that is known here")
        }
    }
}

extension WireArena {
    fileprivate func coordinatorMessage(
        _ value: CoordinatorMessage
    ) -> UnsafeMutablePointer<Phalanx__V1__CoordinatorMessage> {
        let message = unsafe make(phalanx__v1__coordinator_message__init)
        switch value {
        case .welcome(let of, let milliseconds):
            let welcome = unsafe make(phalanx__v1__welcome__init)
            unsafe welcome.pointee.epoch = unsafe epoch(of)
            unsafe welcome.pointee.heartbeat_milliseconds = UInt32(clamping: milliseconds)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_WELCOME
            unsafe message.pointee.welcome = unsafe welcome
        case .refused(let reason):
            let refused = unsafe make(phalanx__v1__refused__init)
            unsafe refused.pointee.message = unsafe text(reason)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_REFUSED
            unsafe message.pointee.refused = unsafe refused
        case .assign(let assignment):
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_ASSIGN
            unsafe message.pointee.assign = unsafe stageAssignment(assignment)
        case .step(let work):
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_STEP
            unsafe message.pointee.step = unsafe step(work)
        case .shutdown(let reason):
            let shutdown = unsafe make(phalanx__v1__shutdown__init)
            unsafe shutdown.pointee.reason = unsafe text(reason)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_SHUTDOWN
            unsafe message.pointee.shutdown = unsafe shutdown
        case .needed(let reason):
            let needed = unsafe make(phalanx__v1__needed__init)
            unsafe needed.pointee.reason = unsafe text(reason)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_NEEDED
            unsafe message.pointee.needed = unsafe needed
        case .takeOver(let of):
            let takeOver = unsafe make(phalanx__v1__take_over__init)
            unsafe takeOver.pointee.epoch = unsafe epoch(of)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_TAKE_OVER
            unsafe message.pointee.take_over = unsafe takeOver
        case .retire(let of):
            let retire = unsafe make(phalanx__v1__retire__init)
            unsafe retire.pointee.epoch = unsafe epoch(of)
            unsafe message.pointee.content_case = PHALANX__V1__COORDINATOR_MESSAGE__CONTENT_RETIRE
            unsafe message.pointee.retire = unsafe retire
        }
        return unsafe message
    }

    private func stageAssignment(_ value: StageAssignment) -> UnsafeMutablePointer<Phalanx__V1__StageAssignment> {
        let message = unsafe make(phalanx__v1__stage_assignment__init)
        unsafe message.pointee.epoch = unsafe epoch(value.epoch)
        unsafe message.pointee.stage = UInt32(clamping: value.stage)
        unsafe message.pointee.stage_count = UInt32(clamping: value.stageCount)
        unsafe message.pointee.layers = unsafe layers(value.layers)
        unsafe message.pointee.model_path = unsafe string(value.modelPath)
        unsafe message.pointee.model_fingerprint = unsafe string(value.modelFingerprint)
        unsafe message.pointee.kv_type = value.kvType.wire
        unsafe message.pointee.page_count = UInt32(clamping: value.pageCount)
        unsafe message.pointee.max_row_count = UInt32(clamping: value.maxRowCount)
        unsafe message.pointee.vocabulary_limit = UInt32(clamping: value.vocabularyLimit)
        if let next = value.next { unsafe message.pointee.next = unsafe nodeAddress(next) }
        unsafe message.pointee.peers = unsafe messages(value.peers) { unsafe nodeAddress($0) }
        unsafe message.pointee.n_peers = value.peers.count
        if let predecessor = value.predecessor { unsafe message.pointee.predecessor = unsafe epoch(predecessor) }
        unsafe message.pointee.n_sources = value.sources.count
        unsafe message.pointee.sources = unsafe messages(value.sources) { unsafe pageSource($0) }
        return unsafe message
    }

    private func pageSource(_ source: PageSource) -> UnsafeMutablePointer<Phalanx__V1__PageSource> {
        let message = unsafe make(phalanx__v1__page_source__init)
        unsafe message.pointee.layers = unsafe layers(source.layers)
        unsafe message.pointee.address = unsafe nodeAddress(source.address)
        return unsafe message
    }

    private func nodeAddress(_ address: NodeAddress) -> UnsafeMutablePointer<Phalanx__V1__NodeAddress> {
        let message = unsafe make(phalanx__v1__node_address__init)
        unsafe message.pointee.node = unsafe string(address.node.rawValue)
        unsafe message.pointee.host = unsafe string(address.host)
        unsafe message.pointee.port = UInt32(clamping: address.port)
        return unsafe message
    }
}

extension StageAssignment {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__StageAssignment>) throws(WireError) {
        let message = unsafe pointer.pointee
        let stageCount = try WireReader.int(
            unsafe message.stage_count, 1...WireLimits.layerCount, "StageAssignment.stage_count")
        let stage = try WireReader.int(unsafe message.stage, 0...(stageCount - 1), "StageAssignment.stage")
        let layers = try unsafe WireReader.required(message.layers, "StageAssignment.layers")
        var next: NodeAddress?
        if let address = unsafe message.next { next = try unsafe NodeAddress(wire: address) }
        guard (next == nil) == (stage == stageCount - 1) else {
            throw WireError(
                "StageAssignment.next", "stage \(stage) of \(stageCount) has \(next == nil ? "none" : "one")")
        }
        var predecessor: Epoch?
        if let epoch = unsafe message.predecessor {
            predecessor = try unsafe Epoch(wire: epoch, "StageAssignment.predecessor")
        }
        let sources = try unsafe WireReader.messages(
            message.sources, message.n_sources, limit: WireLimits.layerCount, "StageAssignment.sources"
        ) { source throws(WireError) in try unsafe PageSource(wire: source) }
        self.init(
            epoch: try unsafe Epoch(wire: message.epoch, "StageAssignment.epoch"), stage: stage,
            stageCount: stageCount, layers: try unsafe LayerRange(wire: layers, "StageAssignment.layers"),
            modelPath: try unsafe WireReader.string(
                message.model_path, "StageAssignment.model_path", limit: WireLimits.pathByteCount),
            modelFingerprint: try unsafe WireReader.string(
                message.model_fingerprint, "StageAssignment.model_fingerprint"),
            kvType: try unsafe KVType(wire: message.kv_type),
            pageCount: try WireReader.int(unsafe message.page_count, 1...Int(Int32.max), "StageAssignment.page_count"),
            maxRowCount: try WireReader.int(
                unsafe message.max_row_count, 1...WireLimits.rowCount, "StageAssignment.max_row_count"),
            vocabularyLimit: try WireReader.int(
                unsafe message.vocabulary_limit, 1...Int(Int32.max), "StageAssignment.vocabulary_limit"),
            next: next,
            peers: try unsafe WireReader.messages(
                message.peers, message.n_peers, limit: WireLimits.peerCount, "StageAssignment.peers"
            ) { address throws(WireError) in try unsafe NodeAddress(wire: address) },
            predecessor: predecessor, sources: sources)
    }
}

extension PageSource {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__PageSource>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            layers: try unsafe LayerRange(
                wire: WireReader.required(message.layers, "PageSource.layers"), "PageSource.layers"),
            address: try unsafe NodeAddress(wire: WireReader.required(message.address, "PageSource.address")))
    }
}

extension KVType {
    fileprivate var wire: Phalanx__V1__KVType {
        switch self {
        case .f16: PHALANX__V1__KVTYPE__KV_TYPE_F16
        case .f32: PHALANX__V1__KVTYPE__KV_TYPE_F32
        case .q8x0: PHALANX__V1__KVTYPE__KV_TYPE_Q8_0
        }
    }

    fileprivate init(wire type: Phalanx__V1__KVType) throws(WireError) {
        switch type {
        case PHALANX__V1__KVTYPE__KV_TYPE_F16: self = .f16
        case PHALANX__V1__KVTYPE__KV_TYPE_F32: self = .f32
        case PHALANX__V1__KVTYPE__KV_TYPE_Q8_0: self = .q8x0
        default: throw WireError("StageAssignment.kv_type", "\(type.rawValue) is not known")
        }
    }
}

extension NodeAddress {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__NodeAddress>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            node: NodeID(try unsafe WireReader.string(message.node, "NodeAddress.node")),
            host: try unsafe WireReader.string(message.host, "NodeAddress.host"),
            port: try WireReader.int(unsafe message.port, 1...65535, "NodeAddress.port"))
    }
}
