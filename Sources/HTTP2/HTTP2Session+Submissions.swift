internal import CNghttp2

extension HTTP2Session {
    /// Opens a stream with a request (client). The body stays open unless `endStream`.
    ///
    /// - Returns: The stream's number. It is sent as soon as the peer allows one more.
    public func submitRequest(_ fields: [HTTP2Header], endStream: Bool) throws(HTTP2Error) -> HTTP2StreamID {
        let stream = unsafe withFields(fields) { fields, count in
            unsafe withBody(unless: endStream) { provider in
                unsafe nghttp2_submit_request(session, nil, fields, count, provider, nil)
            }
        }
        try check(stream, "open a stream")
        if !endStream { sink.bodies[stream] = OutboundBody() }
        return stream
    }

    /// Answers a request (server). The body stays open unless `endStream`.
    public func submitResponse(
        stream: HTTP2StreamID, _ fields: [HTTP2Header], endStream: Bool
    ) throws(HTTP2Error) {
        guard sink.bodies[stream] == nil else {
            throw HTTP2Error(.badStream, "stream \(stream) has been answered already")
        }
        let code = unsafe withFields(fields) { fields, count in
            unsafe withBody(unless: endStream) { provider in
                unsafe nghttp2_submit_response(session, stream, fields, count, provider)
            }
        }
        try check(code, "answer stream \(stream)")
        if !endStream { sink.bodies[stream] = OutboundBody() }
    }

    /// Adds bytes to a stream's body. They wait here until the peer's windows allow them.
    ///
    /// - Returns: How many bytes now wait on this stream.
    @discardableResult
    public func send(stream: HTTP2StreamID, _ chunks: [[UInt8]]) throws(HTTP2Error) -> Int {
        guard sink.bodies[stream]?.ending == .open else {
            throw HTTP2Error(.badStream, "stream \(stream) takes no more bytes")
        }
        for chunk in chunks { sink.bodies[stream]?.append(chunk) }
        try wake(stream)
        return pendingByteCount(stream: stream)
    }

    /// Ends our side of a stream after what waits on it: plainly, or with trailers.
    public func end(stream: HTTP2StreamID, trailers: [HTTP2Header]? = nil) throws(HTTP2Error) {
        guard sink.bodies[stream]?.ending == .open else {
            throw HTTP2Error(.badStream, "stream \(stream) has been ended already")
        }
        sink.bodies[stream]?.ending = trailers.map { .trailers($0) } ?? .endStream
        try wake(stream)
    }

    /// Forgets what waits on a stream and has not been written.
    public func discardBody(stream: HTTP2StreamID) {
        sink.bodies[stream]?.removeAll()
    }

    /// Bytes that wait on a stream.
    public func pendingByteCount(stream: HTTP2StreamID) -> Int { sink.bodies[stream]?.byteCount ?? 0 }

    private func wake(_ stream: HTTP2StreamID) throws(HTTP2Error) {
        guard sink.bodies[stream]?.isDeferred == true else { return }
        sink.bodies[stream]?.isDeferred = false
        let code = unsafe nghttp2_session_resume_data(session, stream)
        // A stream that is closing has no deferred data any more; its `closed` event tells the rest.
        guard code != CInt(NGHTTP2_ERR_INVALID_ARGUMENT.rawValue) else { return }
        try check(code, "send on stream \(stream)")
    }

    /// Gives the peer back `byteCount` bytes of window, on the stream (if it is still there) and the connection.
    public func consume(stream: HTTP2StreamID, byteCount: Int) throws(HTTP2Error) {
        guard byteCount > 0 else { return }
        try check(unsafe nghttp2_session_consume(session, stream, byteCount), "return window")
    }

    /// Lets the peer send more on one stream, and on the connection, before it must wait. Windows never shrink.
    public func raiseWindow(stream: HTTP2StreamID, streamByteCount: Int, connectionByteCount: Int) throws(HTTP2Error) {
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        if Int(unsafe nghttp2_session_get_effective_local_window_size(session)) < connectionByteCount {
            try check(
                unsafe nghttp2_session_set_local_window_size(session, none, 0, Int32(clamping: connectionByteCount)),
                "raise the connection's window")
        }
        if Int(unsafe nghttp2_session_get_stream_effective_local_window_size(session, stream)) < streamByteCount {
            try check(
                unsafe nghttp2_session_set_local_window_size(session, none, stream, Int32(clamping: streamByteCount)),
                "raise the window of stream \(stream)")
        }
    }

    /// Ends a stream at once, both ways.
    public func reset(stream: HTTP2StreamID, code: HTTP2ErrorCode) throws(HTTP2Error) {
        sink.bodies[stream]?.removeAll()
        try check(
            unsafe nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, code.rawValue),
            "reset stream \(stream)")
    }

    /// Asks the peer for a sign of life; it comes back as `HTTP2Event.pong`.
    public func ping(payload: UInt64) throws(HTTP2Error) {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: payload >> (56 - 8 * UInt64($0))) }
        // Sound because nghttp2 copies eight bytes.
        let code = unsafe bytes.withUnsafeBufferPointer {
            unsafe nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), $0.baseAddress)
        }
        try check(code, "ping")
    }

    /// Tells the peer that no new streams are taken; those that it opened so far go on.
    public func goAway(code: HTTP2ErrorCode, message: String = "") throws(HTTP2Error) {
        let last = unsafe nghttp2_session_get_last_proc_stream_id(session)
        // Sound because nghttp2 copies the text.
        let status = unsafe Array(message.utf8.prefix(256)).withUnsafeBufferPointer {
            unsafe nghttp2_submit_goaway(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, $0.baseAddress, $0.count)
        }
        try check(status, "say good-bye")
    }

    /// Ends the session: a last GOAWAY is queued, and nothing else is read or written.
    public func terminate(code: HTTP2ErrorCode) throws(HTTP2Error) {
        try check(unsafe nghttp2_session_terminate_session(session, code.rawValue), "end the session")
    }

    /// Calls `body` with a data provider that reads the stream's `OutboundBody`, or with nil.
    ///
    /// Sound because nghttp2 copies the provider.
    private func withBody(
        unless endStream: Bool, _ body: (UnsafePointer<nghttp2_data_provider>?) -> CInt
    ) -> CInt {
        guard !endStream else { return body(nil) }
        var provider = unsafe nghttp2_data_provider()
        unsafe provider.read_callback = unsafe supplyBody
        return unsafe withUnsafePointer(to: &provider) { unsafe body($0) }
    }
}

/// Calls `body` with the fields as nghttp2 wants them.
///
/// Sound because the bytes stay where they are for the duration of `body`, and nghttp2 copies them.
func withFields(_ fields: [HTTP2Header], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> CInt) -> CInt {
    var bytes: [UInt8] = []
    for field in fields {
        bytes.append(contentsOf: field.name.utf8)
        bytes.append(contentsOf: field.value.utf8)
    }
    // An empty buffer has no address; a byte more gives it one.
    bytes.append(0)
    return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
        guard var next = buffer.baseAddress else { return CInt(NGHTTP2_ERR_NOMEM.rawValue) }
        var pairs: [nghttp2_nv] = unsafe []
        for field in fields {
            let name = field.name.utf8.count
            let value = field.value.utf8.count
            unsafe pairs.append(
                nghttp2_nv(
                    name: next, value: next + name, namelen: name, valuelen: value,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
            unsafe next += name + value
        }
        return unsafe pairs.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
    }
}
