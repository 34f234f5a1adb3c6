import CWire
public import Inference

/// Which keys and values are wanted of a stage.
public struct PagesRequest: Hashable, Sendable, WireMessage {
    /// Of the stage.
    public let epoch: Epoch
    public let layers: LayerRange
    /// The clock of an earlier answer: only pages that were written later are wanted; 0 for all that ever were.
    public let since: UInt64

    public init(epoch: Epoch, layers: LayerRange, since: UInt64) {
        self.epoch = epoch
        self.layers = layers
        self.since = since
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__pages_request__init)
            unsafe message.pointee.epoch = unsafe arena.epoch(epoch)
            unsafe message.pointee.layers = unsafe arena.layers(layers)
            unsafe message.pointee.since = since
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "PagesRequest", phalanx__v1__pages_request__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            return PagesRequest(
                epoch: try unsafe Epoch(wire: message.epoch, "PagesRequest.epoch"),
                layers: try unsafe LayerRange(
                    wire: WireReader.required(message.layers, "PagesRequest.layers"), "PagesRequest.layers"),
                since: unsafe message.since)
        }
    }
}

/// The keys and values of one layer in one page, or the end of them.
public struct PageMessage: Hashable, Sendable {
    /// Of the stage when it began to answer.
    public let clock: UInt64
    public let page: PageID
    public let layer: Int
    /// As they lie in memory; nothing in the last message, after which no page follows.
    public let bytes: [UInt8]
    public let isLast: Bool

    public init(clock: UInt64, page: PageID, layer: Int, bytes: [UInt8]) {
        self.clock = clock
        self.page = page
        self.layer = layer
        self.bytes = bytes
        isLast = false
    }

    /// Says that no page follows.
    public init(endAt clock: UInt64) {
        self.clock = clock
        page = PageID(0)
        layer = 0
        bytes = []
        isLast = true
    }

    public func wireBytes() -> [UInt8] {
        let header = unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__page_header__init)
            unsafe message.pointee.clock = clock
            unsafe message.pointee.page = page.rawValue
            unsafe message.pointee.layer = UInt32(clamping: layer)
            unsafe message.pointee.is_last = isLast ? 1 : 0
            return unsafe message
        }
        return RawFrame.encode(header: header, payload: bytes)
    }

    /// - Parameter byteCount: of one layer in one page; anything else is refused.
    public init(wireBytes bytes: [UInt8], byteCount: Int) throws(WireError) {
        let (header, payload) = try RawFrame.decode(bytes, "Page", payloadLimit: byteCount)
        self = try unsafe WireReader.unpack(header, "PageHeader", phalanx__v1__page_header__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            let isLast = unsafe message.is_last != 0
            guard payload.count == (isLast ? 0 : byteCount) else {
                throw WireError("Page", "has \(payload.count) bytes, a layer's part of a page has \(byteCount)")
            }
            if isLast { return PageMessage(endAt: unsafe message.clock) }
            return PageMessage(
                clock: unsafe message.clock, page: PageID(unsafe message.page),
                layer: try WireReader.int(unsafe message.layer, 0...WireLimits.layerCount, "PageHeader.layer"),
                bytes: payload)
        }
    }
}
