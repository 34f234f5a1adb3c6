internal import HTTP2

extension TransportLimits {
    /// The same limits as the HTTP/2 session knows them.
    var http2: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = maxCallsPerConnection
        limits.streamWindowByteCount = callWindowByteCount
        limits.connectionWindowByteCount = connectionWindowByteCount
        limits.maxFrameByteCount = maxFrameByteCount
        limits.maxHeaderCount = maxHeaderCount
        limits.maxHeaderListByteCount = maxHeaderListByteCount
        return limits
    }
}
