internal import CNghttp2

/// One side of an HTTP/2 connection, without the connection: bytes in, events out; submissions in, bytes out.
///
/// It does no input or output, reads no clock and starts no task. It is confined to whoever owns it (not `Sendable`).
/// After `receive` or a submission, take the bytes for the peer with `takeOutput`, then the events with `takeEvents`.
/// Safe to use although it holds a C pointer: it alone owns the pointer, and no method hands it out.
@safe
public final class HTTP2Session {
    public enum Role: Sendable {
        case client
        case server
    }

    public let role: Role
    public let limits: HTTP2Limits
    /// Owned: made in `init`, freed in `deinit`.
    let session: OpaquePointer
    let sink: CallbackSink
    /// After a fatal error nghttp2 allows nothing but freeing its session.
    private var isBroken = false

    /// Makes a session and queues its SETTINGS (and, for a client, the preface).
    ///
    /// - Throws: `HTTP2Error` when the library has no memory or a limit is out of the protocol's range.
    public init(role: Role, limits: HTTP2Limits = HTTP2Limits()) throws(HTTP2Error) {
        self.role = role
        self.limits = limits
        sink = CallbackSink(limits: limits, isServer: role == .server)

        var callbacks: OpaquePointer?
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0, let callbacks = unsafe callbacks else {
            throw HTTP2Error(.failure, "nghttp2 has no memory for its callbacks")
        }
        // The session copies the callbacks and the options, so both can go when it is made.
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        unsafe install(on: callbacks)

        var option: OpaquePointer?
        guard unsafe nghttp2_option_new(&option) == 0, let option = unsafe option else {
            throw HTTP2Error(.failure, "nghttp2 has no memory for its options")
        }
        defer { unsafe nghttp2_option_del(option) }
        unsafe nghttp2_option_set_no_auto_window_update(option, 1)
        unsafe nghttp2_option_set_max_outbound_ack(option, limits.maxQueuedAcknowledgements)
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        unsafe nghttp2_option_set_max_reserved_remote_streams(option, 0)

        // Sound because the sink lives as long as this object, which frees the nghttp2 session in `deinit`.
        let context = unsafe Unmanaged.passUnretained(sink).toOpaque()
        var made: OpaquePointer?
        let code =
            switch role {
            case .client: unsafe nghttp2_session_client_new2(&made, callbacks, context, option)
            case .server: unsafe nghttp2_session_server_new2(&made, callbacks, context, option)
            }
        guard code == 0, let made = unsafe made else {
            throw HTTP2Error(.failure, "nghttp2 could not make a session: \(describe(code))")
        }
        unsafe session = unsafe made
        try submitSettings()
    }

    deinit {
        // Sound because this object owns the session and nobody can call it any more.
        unsafe nghttp2_session_del(session)
    }

    private func submitSettings() throws(HTTP2Error) {
        var entries = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(clamping: limits.streamWindowByteCount)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_FRAME_SIZE.rawValue),
                value: UInt32(clamping: limits.maxFrameByteCount)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: limits.maxHeaderListByteCount)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: role == .server ? UInt32(clamping: limits.maxConcurrentStreams) : 0),
        ]
        if role == .client {
            entries.append(
                nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        // Sound because nghttp2 copies the entries.
        let code = unsafe entries.withUnsafeBufferPointer { entries in
            unsafe nghttp2_submit_settings(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries.baseAddress, entries.count)
        }
        try check(code, "send settings")
        try check(
            unsafe nghttp2_session_set_local_window_size(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: limits.connectionWindowByteCount)),
            "set the connection's window")
    }

    /// Takes bytes from the peer. What they mean is found by `takeEvents`.
    ///
    /// - Parameter nowNanoseconds: Any clock that only goes forward; it refills the budgets against floods.
    /// - Throws: `HTTP2Error` when the connection must be closed; `takeOutput` may still have a farewell.
    public func receive(_ bytes: RawSpan, nowNanoseconds: UInt64) throws(HTTP2Error) {
        guard !isBroken else { return }
        sink.resets.refill(nowNanoseconds: nowNanoseconds)
        sink.controlFrames.refill(nowNanoseconds: nowNanoseconds)
        // Sound because nghttp2 reads only within the span and keeps no pointer to it.
        let code = unsafe bytes.withUnsafeBytes { bytes in
            unsafe nghttp2_session_mem_recv(
                session, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
        guard code >= 0 else { throw fatal(CInt(clamping: code)) }
        if let failure = sink.failure { throw failure }
        let queued = unsafe nghttp2_session_get_outbound_queue_size(session)
        guard queued <= limits.maxQueuedFrames else {
            throw HTTP2Error(.flood, "the peer caused \(queued) frames and reads none of them")
        }
    }

    /// The events since the last call, in order.
    public func takeEvents() -> [HTTP2Event] {
        guard !sink.events.isEmpty else { return [] }
        defer { sink.events = [] }
        return sink.events
    }

    /// The next bytes for the peer, or nil when there are none now.
    ///
    /// - Parameter limitByteCount: Stops after the frame that reaches it, so that at most this and one frame come.
    public func takeOutput(limitByteCount: Int) throws(HTTP2Error) -> [UInt8]? {
        sink.outputLimitByteCount = limitByteCount
        while sink.output.count < limitByteCount, !isBroken {
            sink.isPaused = false
            var pointer: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &pointer)
            if count < 0 { throw fatal(CInt(clamping: count)) }
            if count > 0, let pointer = unsafe pointer {
                // Sound because nghttp2 gives `count` bytes that are valid until its next call; they are copied.
                unsafe sink.output.append(contentsOf: UnsafeBufferPointer(start: pointer, count: count))
            }
            let submitted = try submitDueTrailers()
            if count == 0, !submitted, !sink.isPaused { break }
        }
        guard !sink.output.isEmpty else { return nil }
        defer { sink.output = [] }
        return sink.output
    }

    private func submitDueTrailers() throws(HTTP2Error) -> Bool {
        guard !sink.trailersDue.isEmpty else { return false }
        let due = sink.trailersDue
        sink.trailersDue = []
        for stream in due {
            guard let body = sink.bodies[stream], case .trailers(let fields) = body.ending else { continue }
            try check(
                unsafe withFields(fields) { fields, count in
                    unsafe nghttp2_submit_trailer(session, stream, fields, count)
                }, "send trailers")
        }
        return true
    }

    /// Whether the session is over: nothing will be read or written any more.
    public var isOver: Bool {
        if isBroken { return true }
        return unsafe nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }

    /// The library's words on what went wrong last, if it said any.
    public var complaint: String? { sink.complaint }

    /// Throws for a code below zero.
    func check(_ code: CInt, _ what: String) throws(HTTP2Error) {
        guard code < 0 else { return }
        if code < CInt(NGHTTP2_ERR_FATAL.rawValue) { throw fatal(code) }
        throw HTTP2Error(.badStream, "cannot \(what): \(describe(code))")
    }

    /// The error for a code after which the nghttp2 session cannot be used.
    private func fatal(_ code: CInt) -> HTTP2Error {
        isBroken = true
        let text = describe(code)
        return switch nghttp2_error(code) {
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
            HTTP2Error(.badPreface, "the peer does not speak HTTP/2 with prior knowledge (no client preface)")
        case NGHTTP2_ERR_FLOODED:
            HTTP2Error(.flood, "the peer sent more pings or settings than it reads answers (\(text))")
        case NGHTTP2_ERR_NOMEM, NGHTTP2_ERR_CALLBACK_FAILURE:
            HTTP2Error(.failure, "the HTTP/2 library failed: \(text)")
        default:
            HTTP2Error(.violation, "the peer broke HTTP/2: \(sink.complaint ?? text)")
        }
    }
}

/// nghttp2's text for one of its codes.
func describe(_ code: CInt) -> String {
    guard let text = unsafe nghttp2_strerror(code) else { return "error \(code)" }
    // Sound because nghttp2 gives a static, terminated string.
    return unsafe String(cString: text)
}
