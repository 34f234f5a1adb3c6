/// What waits to be sent on one stream: chunks in order, then perhaps the end or trailers.
struct OutboundBody {
    /// How the body ends once its chunks are written.
    enum Ending: Hashable {
        case open
        case endStream
        case trailers([HTTP2Header])
    }

    private var chunks: [[UInt8]] = []
    private var firstChunk = 0
    private var firstOffset = 0
    private(set) var byteCount = 0
    var ending = Ending.open
    /// nghttp2 was told that there is nothing now and must be woken.
    var isDeferred = false
    /// nghttp2 was told that there is nothing more.
    var isExhausted = false

    mutating func append(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        chunks.append(chunk)
        byteCount += chunk.count
    }

    mutating func removeAll() {
        chunks = []
        firstChunk = 0
        firstOffset = 0
        byteCount = 0
    }

    /// Moves the first `count` bytes (at most `byteCount`) to the end of `output`.
    mutating func move(_ count: Int, to output: inout [UInt8]) {
        precondition(count <= byteCount, "more bytes asked for than wait")
        var left = count
        while left > 0 {
            let chunk = chunks[firstChunk]
            let taken = min(left, chunk.count - firstOffset)
            output.append(contentsOf: chunk[firstOffset..<firstOffset + taken])
            left -= taken
            firstOffset += taken
            if firstOffset == chunk.count {
                chunks[firstChunk] = []
                firstChunk += 1
                firstOffset = 0
            }
        }
        byteCount -= count
        if firstChunk == chunks.count || firstChunk > 64 {
            chunks.removeFirst(firstChunk)
            firstChunk = 0
        }
    }
}
