import Foundation
import Host
import Synchronization

/// Writes packed parts to the cache, one after the other, on a thread that gives way to all others.
///
/// The thread starts with the first part and ends after the last.
final class PackedWriter: Sendable {
    struct Job: Sendable {
        let model: PackedModelCache
        let content: PackedContent
        let source: SourceDigest
    }

    private struct State {
        var jobs: [Job] = []
        var isRunning = false
    }

    private let state = Mutex(State())
    private let report: @Sendable (PackedCache.Event) -> Void

    /// Bytes that are written at a time.
    private static let stepByteCount = 4 << 20

    init(report: @escaping @Sendable (PackedCache.Event) -> Void) { self.report = report }

    func append(_ job: Job) {
        let starts = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if starts { BackgroundThread.start("cache writer") { self.run() } }
    }

    func removeJobs(of model: PackedModelCache, except parts: Set<PackedPart>) {
        func isUnwanted(_ job: Job) -> Bool { job.model === model && !parts.contains(job.content.plan.part) }
        // What is released is released outside the lock: it may be the last reference to much memory.
        let removed = state.withLock { state in
            let removed = state.jobs.filter(isUnwanted)
            state.jobs.removeAll(where: isUnwanted)
            return removed
        }
        withExtendedLifetime(removed) {}
    }

    func waitUntilIdle(withinSeconds seconds: Double) {
        let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
        while state.withLock({ $0.isRunning }), ContinuousClock.now < deadline { usleep(5000) }
    }

    private func run() {
        let began = ContinuousClock.now
        var partCount = 0
        var byteCount = 0
        while true {
            let job = state.withLock { state -> Job? in
                if state.jobs.isEmpty {
                    state.isRunning = false
                    return nil
                }
                return state.jobs.removeFirst()
            }
            guard let job else { break }
            do {
                if let written = try write(job) {
                    partCount += 1
                    byteCount += written
                }
            } catch {
                job.model.giveUp(error)
            }
        }
        guard partCount > 0 else { return }
        let (seconds, attoseconds) = (ContinuousClock.now - began).components
        report(
            .wrote(partCount: partCount, byteCount: byteCount, seconds: Double(seconds) + Double(attoseconds) * 1e-18))
    }

    /// Returns the bytes of the file; nil when it was not needed or not wanted any more.
    private func write(_ job: Job) throws -> Int? {
        var header = job.model.header(job.content, job.source)
        guard job.model.takesMore, !job.model.isWritten(header) else { return nil }
        // The header's size must be known before its checksums are.
        header.blockChecksums = [UInt32](
            repeating: 0, count: (header.payloadByteCount + CRC32C.blockByteCount - 1) / CRC32C.blockByteCount)
        let file = try job.model.makeFile(byteCount: header.fileByteCount)
        do {
            guard try write(job, &header, to: file) else {
                file.remove()
                return nil
            }
            try file.synchronize()
            try job.model.publish(file, as: header.part)
        } catch {
            file.remove()
            throw error
        }
        return header.fileByteCount
    }

    /// Writes the packed bytes, then the header; false when they are not wanted any more.
    private func write(_ job: Job, _ header: inout PackedHeader, to file: DataFile) throws -> Bool {
        let headerByteCount = header.byteCount
        for start in stride(from: 0, to: header.payloadByteCount, by: Self.stepByteCount) {
            guard job.model.takesMore else { return false }
            let end = min(start + Self.stepByteCount, header.payloadByteCount)
            // The range lies in the buffer, which nobody writes any more.
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: job.content.buffer.unsafeBytes[start..<end])
            let first = start / CRC32C.blockByteCount
            for (index, sum) in unsafe CRC32C.checksums(ofBlocksIn: bytes).enumerated() {
                header.blockChecksums[first + index] = sum
            }
            try unsafe file.write(bytes, at: headerByteCount + start)
            file.startWriting(headerByteCount + start..<headerByteCount + end)
        }
        let bytes = header.encoded()
        try unsafe bytes.withUnsafeBytes { try unsafe file.write($0, at: 0) }
        return true
    }
}
