import CWire

/// Which checkpoint's manifest is wanted.
public struct ManifestRequest: Hashable, Sendable, WireMessage {
    /// Of the checkpoint.
    public let fingerprint: String

    public init(fingerprint: String) { self.fingerprint = fingerprint }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__manifest_request__init)
            unsafe message.pointee.fingerprint = unsafe arena.text(fingerprint, limit: WireLimits.nameByteCount)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "ManifestRequest", phalanx__v1__manifest_request__unpack) {
            message throws(WireError) in
            ManifestRequest(
                fingerprint: try unsafe WireReader.string(message.pointee.fingerprint, "ManifestRequest.fingerprint"))
        }
    }
}

/// A piece of a manifest, or how far the node is with making it.
public struct ManifestChunk: Hashable, Sendable, WireMessage {
    /// Bytes of the checkpoint that are hashed.
    public let hashedByteCount: Int
    /// Bytes of the checkpoint.
    public let totalByteCount: Int
    /// Of the whole manifest; 0 while it is not ready.
    public let manifestByteCount: Int
    public let bytes: [UInt8]

    public init(hashedByteCount: Int, totalByteCount: Int, manifestByteCount: Int = 0, bytes: [UInt8] = []) {
        self.hashedByteCount = hashedByteCount
        self.totalByteCount = totalByteCount
        self.manifestByteCount = manifestByteCount
        self.bytes = bytes
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__manifest_chunk__init)
            unsafe message.pointee.hashed_byte_count = UInt64(clamping: hashedByteCount)
            unsafe message.pointee.total_byte_count = UInt64(clamping: totalByteCount)
            unsafe message.pointee.manifest_byte_count = UInt64(clamping: manifestByteCount)
            unsafe message.pointee.data.data = unsafe arena.array(bytes)
            unsafe message.pointee.data.len = bytes.count
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "ManifestChunk", phalanx__v1__manifest_chunk__unpack) {
            message throws(WireError) in
            ManifestChunk(
                hashedByteCount: try WireReader.count(
                    unsafe message.pointee.hashed_byte_count, "ManifestChunk.hashed_byte_count"),
                totalByteCount: try WireReader.count(
                    unsafe message.pointee.total_byte_count, "ManifestChunk.total_byte_count"),
                manifestByteCount: try WireReader.int(
                    unsafe message.pointee.manifest_byte_count, 0...WireLimits.manifestByteCount,
                    "ManifestChunk.manifest_byte_count"),
                bytes: try unsafe WireReader.array(
                    message.pointee.data.data, message.pointee.data.len, limit: WireLimits.manifestChunkByteCount,
                    "ManifestChunk.data"))
        }
    }
}

/// Which bytes of a checkpoint are wanted.
public struct ReadRequest: Hashable, Sendable, WireMessage {
    /// Of the checkpoint.
    public let fingerprint: String
    /// Index of the file in the manifest.
    public let file: Int
    /// The file's size there.
    public let fileByteCount: Int
    /// Within the file, not empty.
    public let range: Range<Int>

    public init(fingerprint: String, file: Int, fileByteCount: Int, range: Range<Int>) {
        self.fingerprint = fingerprint
        self.file = file
        self.fileByteCount = fileByteCount
        self.range = range
    }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__read_request__init)
            unsafe message.pointee.fingerprint = unsafe arena.text(fingerprint, limit: WireLimits.nameByteCount)
            unsafe message.pointee.file = UInt32(clamping: file)
            unsafe message.pointee.file_byte_count = UInt64(clamping: fileByteCount)
            unsafe message.pointee.offset = UInt64(clamping: range.lowerBound)
            unsafe message.pointee.byte_count = UInt32(clamping: range.count)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "ReadRequest", phalanx__v1__read_request__unpack) {
            message throws(WireError) in
            let fileByteCount = try WireReader.count(
                unsafe message.pointee.file_byte_count, "ReadRequest.file_byte_count")
            let offset = try WireReader.int(
                unsafe message.pointee.offset, 0...fileByteCount, "ReadRequest.offset")
            let byteCount = try WireReader.int(
                unsafe message.pointee.byte_count, 1...WireLimits.weightReadByteCount, "ReadRequest.byte_count")
            guard offset + byteCount <= fileByteCount else {
                throw WireError("ReadRequest.byte_count", "reaches over the end of the file")
            }
            return ReadRequest(
                fingerprint: try unsafe WireReader.string(message.pointee.fingerprint, "ReadRequest.fingerprint"),
                file: try WireReader.int(
                    unsafe message.pointee.file, 0...(WireLimits.weightFileCount - 1), "ReadRequest.file"),
                fileByteCount: fileByteCount, range: offset..<offset + byteCount)
        }
    }
}
