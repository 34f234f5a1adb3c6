internal import CNghttp2

// The functions that nghttp2 calls. Each finds its sink behind `user_data`, queues, and returns; none calls nghttp2.
// `user_data` is the sink of the session that called: `HTTP2Session` owns both and frees the nghttp2 session first,
// so the sink outlives every callback.

/// The sink behind a callback's context pointer.
private func sink(_ context: UnsafeMutableRawPointer?) -> CallbackSink? {
    guard let context = unsafe context else { return nil }
    // Sound because the pointer was made from a live `CallbackSink` (see above).
    return unsafe Unmanaged<CallbackSink>.fromOpaque(context).takeUnretainedValue()
}

private let failed = CInt(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)

private func has(_ flags: UInt8, _ flag: nghttp2_flag) -> Bool { UInt32(flags) & UInt32(flag.rawValue) != 0 }

/// Text of the peer's: invalid UTF-8 is replaced.
private func text(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> String {
    guard let bytes = unsafe bytes, count > 0 else { return "" }
    // Sound because nghttp2 gives a pointer to `count` readable bytes.
    return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
}

/// Sets every callback that a session needs. Sound because the functions have C's calling convention and no state.
func install(on callbacks: OpaquePointer) {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, _, context in
        unsafe sink(context)?.beginHeaders()
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
        _, _, name, nameCount, value, valueCount, _, context in
        unsafe sink(context)?.addHeader(nameByteCount: nameCount, valueByteCount: valueCount) {
            unsafe HTTP2Header(text(name, nameCount), text(value, valueCount))
        }
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
        _, _, stream, bytes, count, context in
        guard let sink = unsafe sink(context), let bytes = unsafe bytes, count > 0 else { return 0 }
        // Sound because nghttp2 gives a pointer to `count` readable bytes; they are copied.
        sink.events.append(
            .data(stream: stream, bytes: unsafe [UInt8](UnsafeBufferPointer(start: bytes, count: count))))
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, context in
        guard let sink = unsafe sink(context) else { return 0 }
        sink.bodies[stream] = nil
        sink.events.append(.closed(stream: stream, code: HTTP2ErrorCode(rawValue: code)))
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
        unsafe received(frame, sink(context))
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
        unsafe sent(frame, sink(context))
    }
    unsafe nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks) {
        _, _, _, connectionWindow, streamWindow, maxFrame, context in
        let ours = unsafe sink(context)?.limits.maxFrameByteCount ?? 16384
        return max(1, min(Int(connectionWindow), Int(streamWindow), Int(maxFrame), ours))
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, count, _, context in
        guard let sink = unsafe sink(context), let frame = unsafe frame, let header = unsafe header else {
            return failed
        }
        // Sound because nghttp2 gives nine bytes of frame header. No callback asks for padding, so there is none.
        unsafe sink.output.append(contentsOf: UnsafeBufferPointer(start: header, count: 9))
        unsafe sink.write(stream: frame.pointee.hd.stream_id, count: count)
        guard sink.output.count >= sink.outputLimitByteCount else { return 0 }
        sink.isPaused = true
        return CInt(NGHTTP2_ERR_PAUSE.rawValue)
    }
    unsafe nghttp2_session_callbacks_set_error_callback2(callbacks) { _, _, message, count, context in
        guard let message = unsafe message, let sink = unsafe sink(context) else { return 0 }
        // Sound because nghttp2 gives `count` bytes of text.
        sink.complaint = unsafe message.withMemoryRebound(to: UInt8.self, capacity: count) {
            unsafe text($0, count)
        }
        return 0
    }
}

/// Sorts a received frame. `frame` is valid for the duration of the callback and `hd.type` says which member it is.
private func received(_ frame: UnsafePointer<nghttp2_frame>?, _ sink: CallbackSink?) -> CInt {
    guard let frame = unsafe frame, let sink else { return failed }
    let header = unsafe frame.pointee.hd
    switch nghttp2_frame_type(UInt32(header.type)) {
    case NGHTTP2_HEADERS:
        sink.endHeaders(stream: header.stream_id, endStream: has(header.flags, NGHTTP2_FLAG_END_STREAM))
    case NGHTTP2_DATA:
        if has(header.flags, NGHTTP2_FLAG_END_STREAM) {
            sink.events.append(.endOfStream(stream: header.stream_id))
        } else if header.length == 0 {
            sink.countControlFrame()
        }
    case NGHTTP2_RST_STREAM:
        sink.countReset(code: unsafe frame.pointee.rst_stream.error_code)
    case NGHTTP2_SETTINGS:
        sink.countControlFrame()
        if !has(header.flags, NGHTTP2_FLAG_ACK) { sink.events.append(.settings) }
    case NGHTTP2_PING:
        sink.countControlFrame()
        if has(header.flags, NGHTTP2_FLAG_ACK) {
            let data = unsafe frame.pointee.ping.opaque_data
            let bytes = [data.0, data.1, data.2, data.3, data.4, data.5, data.6, data.7]
            sink.events.append(.pong(payload: bytes.reduce(0) { $0 << 8 | UInt64($1) }))
        }
    case NGHTTP2_PRIORITY:
        sink.countControlFrame()
    case NGHTTP2_GOAWAY:
        sink.countControlFrame()
        let goAway = unsafe frame.pointee.goaway
        sink.events.append(
            .goAway(
                lastStream: unsafe goAway.last_stream_id,
                code: HTTP2ErrorCode(rawValue: unsafe goAway.error_code),
                message: unsafe text(goAway.opaque_data, min(goAway.opaque_data_len, 256))))
    default:
        break
    }
    return 0
}

/// Notes that our side of a stream has been written to its end.
private func sent(_ frame: UnsafePointer<nghttp2_frame>?, _ sink: CallbackSink?) -> CInt {
    guard let frame = unsafe frame, let sink else { return failed }
    let header = unsafe frame.pointee.hd
    let type = nghttp2_frame_type(UInt32(header.type))
    if type == NGHTTP2_HEADERS || type == NGHTTP2_DATA, has(header.flags, NGHTTP2_FLAG_END_STREAM) {
        sink.events.append(.localEndWritten(stream: header.stream_id))
    }
    return 0
}

/// Gives nghttp2 the size of the next DATA frame; the bytes follow in the send callback without a copy through it.
func supplyBody(
    _: OpaquePointer?, _ stream: Int32, _: UnsafeMutablePointer<UInt8>?, _ length: Int,
    _ flags: UnsafeMutablePointer<UInt32>?, _: UnsafeMutablePointer<nghttp2_data_source>?,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let sink = unsafe sink(context), let flags = unsafe flags else { return Int(failed) }
    switch sink.supply(stream: stream, atMost: length) {
    case .nothingNow:
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    case .bytes(let count, let isLast, let trailersFollow):
        var value = UInt32(NGHTTP2_DATA_FLAG_NO_COPY.rawValue)
        if isLast { value |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) }
        if trailersFollow { value |= UInt32(NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue) }
        // Sound because nghttp2 gives a pointer to its own flags.
        unsafe flags.pointee = value
        return count
    }
}
