public import Transport
public import Wire

/// What a node has to say about the manifest of its checkpoint.
public enum ManifestState: Sendable, Hashable {
    /// It hashes the weights: bytes done and all.
    case hashing(doneByteCount: Int, totalByteCount: Int)
    case ready([UInt8])
}

/// The gRPC service phalanx.v1.Weights: bytes of a checkpoint for workers that lack it.
public enum WeightsService {
    /// Bytes in one message.
    private static let messageByteCount = 1 << 20
    private static let manifestChunkByteCount = 256 << 10
    /// How often the progress of hashing is told.
    private static let hashingPause = Duration.milliseconds(200)

    /// - Parameter state: of the manifest of a checkpoint, by fingerprint. Throws `RPCError` where there is none.
    public static func manifestHandler(
        _ state: @escaping @Sendable (_ fingerprint: String) throws -> ManifestState
    ) -> RPCHandler {
        { stream in
            let fingerprint = try await EngineService.question(ManifestRequest.self, stream).fingerprint
            while true {
                switch try state(fingerprint) {
                case .hashing(let done, let total):
                    try await stream.send(ManifestChunk(hashedByteCount: done, totalByteCount: total).wireBytes())
                    try await Task.sleep(for: hashingPause)
                case .ready(let manifest):
                    for start in stride(from: 0, to: manifest.count, by: manifestChunkByteCount) {
                        let end = min(start + manifestChunkByteCount, manifest.count)
                        let chunk = ManifestChunk(
                            hashedByteCount: 0, totalByteCount: 0, manifestByteCount: manifest.count,
                            bytes: Array(manifest[start..<end]))
                        try await stream.send(chunk.wireBytes())
                    }
                    return
                }
            }
        }
    }

    /// - Parameter read: the bytes that a request asks for, at most 1 MiB; nil when they are not here.
    public static func readHandler(
        _ read: @escaping @Sendable (ReadRequest) async throws -> [UInt8]?
    ) -> RPCHandler {
        { stream in
            let request = try await EngineService.question(ReadRequest.self, stream)
            for start in stride(
                from: request.range.lowerBound, to: request.range.upperBound, by: messageByteCount)
            {
                let part = ReadRequest(
                    fingerprint: request.fingerprint, file: request.file, fileByteCount: request.fileByteCount,
                    range: start..<min(start + messageByteCount, request.range.upperBound))
                guard let bytes = try await read(part) else {
                    throw RPCError(.notFound, "this node does not have bytes \(part.range) of file \(part.file)")
                }
                try await stream.send(bytes)
            }
        }
    }

    /// Fetches a manifest; it is as trustworthy as the node that gave it.
    ///
    /// - Parameter progress: called with the bytes that the node has hashed and all, while it does.
    /// - Throws: `RPCError` when it cannot be had.
    public static func manifest(
        from connection: any RPCConnection, fingerprint: String,
        progress: (_ doneByteCount: Int, _ totalByteCount: Int) -> Void
    ) async throws -> [UInt8] {
        let stream = try await connection.call(Services.manifest, timeout: .seconds(3600))
        try await stream.send(ManifestRequest(fingerprint: fingerprint).wireBytes())
        try await stream.finish()
        var manifest: [UInt8] = []
        var byteCount: Int?
        for try await bytes in stream.messages {
            let chunk = try ManifestChunk(wireBytes: bytes)
            guard chunk.manifestByteCount > 0 else {
                progress(chunk.hashedByteCount, chunk.totalByteCount)
                continue
            }
            let announced = byteCount ?? chunk.manifestByteCount
            guard chunk.manifestByteCount == announced, manifest.count + chunk.bytes.count <= announced else {
                throw RPCError(.dataLoss, "\(connection.peer) sent more than the announced \(announced) bytes")
            }
            byteCount = announced
            manifest += chunk.bytes
        }
        guard !manifest.isEmpty, manifest.count == byteCount else {
            throw RPCError(
                .dataLoss, "\(connection.peer) sent \(manifest.count) of \(byteCount ?? 0) bytes of the manifest")
        }
        return manifest
    }

    /// Reads bytes of a checkpoint's file: as many as were asked for, right or wrong.
    ///
    /// - Throws: `RPCError`, of code `notFound` when the node does not have them.
    public static func read(
        _ request: ReadRequest, from connection: any RPCConnection, timeout: Duration
    ) async throws -> [UInt8] {
        let stream = try await connection.call(Services.readWeights, timeout: timeout)
        try await stream.send(request.wireBytes())
        try await stream.finish()
        var result: [UInt8] = []
        result.reserveCapacity(request.range.count)
        for try await bytes in stream.messages {
            guard result.count + bytes.count <= request.range.count else {
                stream.cancel(RPCError(.cancelled, "more came than was asked for"))
                throw RPCError(
                    .dataLoss, "\(connection.peer) sent more than the \(request.range.count) bytes asked for")
            }
            result += bytes
        }
        guard result.count == request.range.count else {
            throw RPCError(
                .dataLoss, "\(connection.peer) sent \(result.count) of \(request.range.count) bytes asked for")
        }
        return result
    }
}
