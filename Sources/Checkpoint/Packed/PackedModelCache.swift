import Dispatch
public import Host
import Kernels
import Synchronization

/// What the cache holds of one checkpoint. Its files are safe from being cleared away as long as this object lives.
public final class PackedModelCache: Sendable {
    let cache: PackedCache
    private let fingerprint: String
    /// Nil when there is no such folder and none can be made.
    private let lock: DirectoryLock?
    private let state = Mutex(State())
    /// Parts that are computed with where they lie in their files.
    private let mapped = Mutex<[(part: PackedPart, buffer: HugeBuffer)]>([])
    /// Entered while they are moved.
    private let moving = DispatchGroup()

    private struct State {
        /// Whether nothing is written any more.
        var isFull = false
        /// Files that were found unfit: written again although they are there.
        var unfit: Set<PackedPart> = []
    }

    init(cache: PackedCache, fingerprint: String) {
        self.cache = cache
        self.fingerprint = fingerprint
        let folder = "\(cache.root)/\(fingerprint)"
        var lock: DirectoryLock?
        var problem: String?
        // Another process may clear the folder away between the two steps.
        for _ in 0..<10 where lock == nil {
            do throws(HostError) {
                try Folder.make(folder)
                problem = nil
            } catch {
                problem = "\(error.message), or choose another place with --cache-dir"
            }
            lock = DirectoryLock(folder, shared: true, waits: true)
        }
        self.lock = lock
        guard lock == nil else { return }
        cache.report(.unavailable(reason: problem ?? "\(folder) cannot be locked; choose a local --cache-dir"))
    }

    private func path(_ part: PackedPart) -> String { "\(cache.root)/\(fingerprint)/\(part.fileName)" }

    /// Takes a packed part from the cache, with all threads of the pool.
    ///
    /// A file that is damaged, cut off, of another version or made of other weights is reported and not used.
    ///
    /// - Parameters:
    ///   - inPlace: the bytes are mapped and not copied, which is quicker now and slower to compute with; `startMoving`
    ///     mends that.
    ///   - willCompare: called before the checkpoint's weights are read, because its files are not those that the part
    ///     was packed from, although their fingerprint is the same.
    /// - Returns: nil when the part is not there or not fit.
    /// - Throws: `HostError` when there is no memory, and what `willCompare` throws.
    public func load(
        _ plan: PackedPlan, pool: ComputePool, inPlace: Bool = false, willCompare: () throws -> Void = {}
    ) throws -> PackedContent? {
        guard lock != nil else { return nil }
        let path = path(plan.part)
        let content = try PackedContent(plan)
        do {
            var file = try PackedFile(path: path)
            if let reason = file.header.mismatch(with: plan, fingerprint: fingerprint) {
                throw PackedFileError(reason)
            }
            let state = plan.sourceState()
            if file.header.source.state != state {
                try plan.checkFetched()
                try willCompare()
                guard plan.sourceContent(pool: pool) == file.header.source.content else {
                    throw PackedFileError("it was packed from other weights than the checkpoint has now")
                }
                file.adopt(SourceDigest(content: file.header.source.content, state: state))
            }
            file.touch()
            if inPlace {
                let buffer = try file.map(pool: pool)
                mapped.withLock { $0.append((plan.part, buffer)) }
                return PackedContent(plan, buffer)
            }
            try file.read(into: content.buffer, pool: pool)
            return content
        } catch let error as HostError where error.code == .fileNotFound {
            return nil
        } catch let error as PackedFileError {
            reject(plan, path, error.reason)
        } catch let error as HostError {
            reject(plan, path, error.message)
        }
        return nil
    }

    /// Whether a part is there that was packed from the very weights of the checkpoint, as far as that shows without
    /// reading either.
    public func holds(_ plan: PackedPlan) -> Bool {
        guard lock != nil, let file = try? PackedFile(path: path(plan.part)) else { return false }
        return file.header.mismatch(with: plan, fingerprint: fingerprint) == nil
            && file.header.source.state == plan.sourceState()
    }

    private func reject(_ plan: PackedPlan, _ path: String, _ reason: String) {
        _ = state.withLock { $0.unfit.insert(plan.part) }
        cache.report(.replaced(path: path, reason: reason))
    }

    /// Copies what was taken in place into huge pages, in the background, while it is computed with.
    public func startMoving() {
        guard mapped.withLock({ !$0.isEmpty }) else { return }
        moving.enter()
        BackgroundThread.start("weights to memory", givesWay: false) {
            self.moveAll()
            self.moving.leave()
        }
    }

    /// Waits until everything is in huge pages, but not longer than some seconds: for a process that measures.
    public func finishMoving(withinSeconds seconds: Double) {
        _ = moving.wait(timeout: .now() + seconds)
    }

    private func moveAll() {
        let began = ContinuousClock.now
        var byteCount = 0
        while let buffer = mapped.withLock({ $0.isEmpty ? nil : $0.removeFirst().buffer }) {
            do throws(HostError) {
                try buffer.moveIntoMemory()
                byteCount += buffer.byteCount
            } catch {
                mapped.withLock { $0 = [] }
                cache.report(.leftInPlace(reason: error.message))
            }
        }
        let (seconds, attoseconds) = (ContinuousClock.now - began).components
        cache.report(.moved(byteCount: byteCount, seconds: Double(seconds) + Double(attoseconds) * 1e-18))
    }

    /// Writes a packed part in the background; what cannot be written is reported once.
    ///
    /// - Parameter source: what `pack` returned.
    public func write(_ content: PackedContent, source: SourceDigest) {
        guard lock != nil, state.withLock({ !$0.isFull }) else { return }
        cache.writer.append(PackedWriter.Job(model: self, content: content, source: source))
    }

    /// Gives up what is not written or moved yet, and the memory that waits for it.
    public func cancel() {
        mapped.withLock { $0 = [] }
        state.withLock { $0.isFull = true }
        cache.writer.removeJobs(of: self, except: [])
    }

    /// The same for all parts but these; others may be written and moved later.
    public func cancel(except parts: Set<PackedPart>) {
        mapped.withLock { $0.removeAll { !parts.contains($0.part) } }
        cache.writer.removeJobs(of: self, except: parts)
    }

    // MARK: On the writer's thread

    /// Whether there is still a point in writing.
    var takesMore: Bool { state.withLock { !$0.isFull } }

    /// Tells once that nothing more is written.
    func giveUp(_ error: any Error) {
        let isFirst = state.withLock { state in
            defer { state.isFull = true }
            return !state.isFull
        }
        guard isFirst else { return }
        cache.report(.unavailable(reason: (error as? HostError)?.message ?? "\(error)"))
        cache.writer.removeJobs(of: self, except: [])
    }

    /// What a part's file will begin with, apart from the checksums.
    func header(_ content: PackedContent, _ source: SourceDigest) -> PackedHeader {
        PackedHeader(
            packingVersion: PackedMatrix.packingVersion, part: content.plan.part, fingerprint: fingerprint,
            source: source, sections: content.plan.sections, payloadByteCount: content.plan.byteCount,
            blockChecksums: [])
    }

    /// Whether another process wrote the part meanwhile.
    func isWritten(_ header: PackedHeader) -> Bool {
        guard state.withLock({ !$0.unfit.contains(header.part) }), let file = try? PackedFile(path: path(header.part))
        else { return false }
        var found = file.header
        found.blockChecksums = []
        return found == header
    }

    func makeFile(byteCount: Int) throws -> DataFile {
        try cache.makeFile(in: "\(cache.root)/\(fingerprint)", byteCount: byteCount)
    }

    /// Gives a file that is whole and on the disk its name.
    func publish(_ file: DataFile, as part: PackedPart) throws {
        try file.move(to: path(part))
        lock?.synchronize()
    }
}
