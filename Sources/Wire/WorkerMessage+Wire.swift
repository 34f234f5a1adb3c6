import CWire
public import Inference

extension WorkerMessage: WireMessage {
    public func wireBytes() -> [UInt8] { unsafe WireArena.encode { unsafe $0.workerMessage(self) } }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "WorkerMessage", phalanx__v1__worker_message__unpack) {
            message throws(WireError) in try unsafe WorkerMessage(wire: message)
        }
    }

    private init(wire pointer: UnsafeMutablePointer<Phalanx__V1__WorkerMessage>) throws(WireError) {
        let message = unsafe pointer.pointee
        switch unsafe message.content_case {
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_HELLO:
            self = .hello(try unsafe WorkerHello(wire: WireReader.required(message.hello, "WorkerMessage.hello")))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_LOAD_PROGRESS:
            let progress = try unsafe WireReader.required(message.load_progress, "WorkerMessage.load_progress").pointee
            self = .loadProgress(
                epoch: try unsafe Epoch(wire: progress.epoch, "LoadProgress.epoch"),
                try unsafe LoadProgress(wire: WireReader.required(progress.state, "LoadProgress.state")))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_READY:
            let ready = try unsafe WireReader.required(message.ready, "WorkerMessage.ready").pointee
            self = .ready(
                epoch: try unsafe Epoch(wire: ready.epoch, "Ready.epoch"),
                memoryByteCount: try WireReader.count(unsafe ready.memory_byte_count, "Ready.memory_byte_count"))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_FAILED:
            let failed = try unsafe WireReader.required(message.failed, "WorkerMessage.failed").pointee
            self = .failed(
                epoch: try unsafe Epoch(wire: failed.epoch, "Failed.epoch"),
                message: try unsafe WireReader.string(
                    failed.message, "Failed.message", limit: WireLimits.textByteCount),
                isLink: unsafe failed.is_link != 0)
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_RESULT:
            self = .result(try unsafe StepResult(wire: WireReader.required(message.result, "WorkerMessage.result")))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_HEARTBEAT:
            self = .heartbeat(
                try unsafe Heartbeat(wire: WireReader.required(message.heartbeat, "WorkerMessage.heartbeat")))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_GOODBYE:
            let goodbye = try unsafe WireReader.required(message.goodbye, "WorkerMessage.goodbye").pointee
            self = .goodbye(
                reason: try unsafe WireReader.string(
                    goodbye.reason, "Goodbye.reason", limit: WireLimits.textByteCount))
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_ASK_TO_LEAVE: self = .askToLeave
        case PHALANX__V1__WORKER_MESSAGE__CONTENT_MOVED:
            let moved = try unsafe WireReader.required(message.moved, "WorkerMessage.moved").pointee
            self = .moved(epoch: try unsafe Epoch(wire: moved.epoch, "Moved.epoch"))
        default:
            throw WireError("WorkerMessage", "has no content that is known here")
        }
    }
}

extension WireArena {
    fileprivate func workerMessage(_ value: WorkerMessage) -> UnsafeMutablePointer<Phalanx__V1__WorkerMessage> {
        let message = unsafe make(phalanx__v1__worker_message__init)
        switch value {
        case .hello(let hello):
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_HELLO
            unsafe message.pointee.hello = unsafe workerHello(hello)
        case .loadProgress(let of, let state):
            let progress = unsafe make(phalanx__v1__load_progress__init)
            unsafe progress.pointee.epoch = unsafe epoch(of)
            unsafe progress.pointee.state = unsafe loadState(state)
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_LOAD_PROGRESS
            unsafe message.pointee.load_progress = unsafe progress
        case .ready(let of, let byteCount):
            let ready = unsafe make(phalanx__v1__ready__init)
            unsafe ready.pointee.epoch = unsafe epoch(of)
            unsafe ready.pointee.memory_byte_count = UInt64(clamping: byteCount)
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_READY
            unsafe message.pointee.ready = unsafe ready
        case .failed(let of, let reason, let isLink):
            let failed = unsafe make(phalanx__v1__failed__init)
            unsafe failed.pointee.epoch = unsafe epoch(of)
            unsafe failed.pointee.message = unsafe text(reason)
            unsafe failed.pointee.is_link = isLink ? 1 : 0
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_FAILED
            unsafe message.pointee.failed = unsafe failed
        case .result(let result):
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_RESULT
            unsafe message.pointee.result = unsafe stepResult(result)
        case .heartbeat(let beat):
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_HEARTBEAT
            unsafe message.pointee.heartbeat = unsafe heartbeat(beat)
        case .goodbye(let reason):
            let goodbye = unsafe make(phalanx__v1__goodbye__init)
            unsafe goodbye.pointee.reason = unsafe text(reason)
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_GOODBYE
            unsafe message.pointee.goodbye = unsafe goodbye
        case .askToLeave:
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_ASK_TO_LEAVE
            unsafe message.pointee.ask_to_leave = unsafe make(phalanx__v1__ask_to_leave__init)
        case .moved(let of):
            let moved = unsafe make(phalanx__v1__moved__init)
            unsafe moved.pointee.epoch = unsafe epoch(of)
            unsafe message.pointee.content_case = PHALANX__V1__WORKER_MESSAGE__CONTENT_MOVED
            unsafe message.pointee.moved = unsafe moved
        }
        return unsafe message
    }

    private func workerHello(_ hello: WorkerHello) -> UnsafeMutablePointer<Phalanx__V1__WorkerHello> {
        let message = unsafe make(phalanx__v1__worker_hello__init)
        unsafe message.pointee.protocol_version = hello.protocolVersion
        unsafe message.pointee.numerics_version = hello.numericsVersion
        unsafe message.pointee.node = unsafe string(hello.node.rawValue)
        unsafe message.pointee.host = unsafe string(hello.host)
        unsafe message.pointee.port = UInt32(clamping: hello.port)
        unsafe message.pointee.process_id = UInt64(clamping: hello.processID)
        unsafe message.pointee.thread_count = UInt32(clamping: hello.threadCount)
        unsafe message.pointee.memory_byte_count = UInt64(clamping: hello.memoryByteCount)
        unsafe message.pointee.bytes_per_second = hello.bytesPerSecond
        unsafe message.pointee.highest_epoch = unsafe epoch(hello.highestEpoch)
        unsafe message.pointee.instruction_set = unsafe string(hello.instructionSet)
        return unsafe message
    }

    private func heartbeat(_ beat: Heartbeat) -> UnsafeMutablePointer<Phalanx__V1__Heartbeat> {
        let message = unsafe make(phalanx__v1__heartbeat__init)
        unsafe message.pointee.epoch = unsafe epoch(beat.epoch)
        unsafe message.pointee.finished_step_count = beat.finishedStepCount
        unsafe message.pointee.layer = unsafe count(beat.layer)
        unsafe message.pointee.computed_row_count = beat.computedRowCount
        unsafe message.pointee.busy_microseconds = beat.busyMicroseconds
        unsafe message.pointee.next_link_up = beat.nextLinkUp ? 1 : 0
        unsafe message.pointee.recent_microseconds = beat.recent.windowMicroseconds
        unsafe message.pointee.recent_busy_microseconds = beat.recent.busyMicroseconds
        unsafe message.pointee.recent_bubble_microseconds = beat.recent.bubbleMicroseconds
        return unsafe message
    }
}

extension WorkerHello {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__WorkerHello>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            protocolVersion: unsafe message.protocol_version, numericsVersion: unsafe message.numerics_version,
            node: NodeID(try unsafe WireReader.string(message.node, "WorkerHello.node")),
            host: try unsafe WireReader.string(message.host, "WorkerHello.host"),
            port: try WireReader.int(unsafe message.port, 0...65535, "WorkerHello.port"),
            processID: try WireReader.count(unsafe message.process_id, "WorkerHello.process_id"),
            threadCount: try WireReader.count(unsafe message.thread_count, "WorkerHello.thread_count"),
            memoryByteCount: try WireReader.count(unsafe message.memory_byte_count, "WorkerHello.memory_byte_count"),
            bytesPerSecond: try WireReader.finite(unsafe message.bytes_per_second, "WorkerHello.bytes_per_second"),
            highestEpoch: try unsafe Epoch(wire: message.highest_epoch, "WorkerHello.highest_epoch"),
            instructionSet: try unsafe WireReader.string(message.instruction_set, "WorkerHello.instruction_set"))
    }
}

extension Heartbeat {
    fileprivate init(wire pointer: UnsafeMutablePointer<Phalanx__V1__Heartbeat>) throws(WireError) {
        let message = unsafe pointer.pointee
        self.init(
            epoch: try unsafe Epoch(wire: message.epoch, "Heartbeat.epoch"),
            finishedStepCount: unsafe message.finished_step_count,
            layer: try unsafe WireReader.count(message.layer, 0...WireLimits.layerCount, "Heartbeat.layer"),
            computedRowCount: unsafe message.computed_row_count, busyMicroseconds: unsafe message.busy_microseconds,
            nextLinkUp: unsafe message.next_link_up != 0,
            recent: StageActivity(
                windowMicroseconds: unsafe message.recent_microseconds,
                busyMicroseconds: unsafe message.recent_busy_microseconds,
                bubbleMicroseconds: unsafe message.recent_bubble_microseconds))
    }
}
