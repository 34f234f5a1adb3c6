public import Checkpoint
import Kernels
import Synchronization

/// The weights of one checkpoint that a worker has in memory, part by part, whichever of its stages they were loaded for.
///
/// A stage takes over what is here and loads only what it lacks. Stages share parts: one that is let go of here is freed
/// when the last stage that computes with it has ended.
public final class LoadedParts: Sendable {
    /// A part in the form that is computed with.
    enum Part: Sendable {
        case embedding(EmbeddingTable)
        case layer(DecoderLayer)
        case head(norm: LayerRows, matrix: PackedMatrix)
    }

    private struct State {
        var fingerprint: String?
        var parts: [PackedPart: Part] = [:]
        var cache: PackedModelCache?
    }

    private let state = Mutex(State())

    public init() {}

    /// Says of which checkpoint parts are wanted from now on; those of another one are let go of.
    ///
    /// - Parameters:
    ///   - fingerprint: the checkpoint's content hash.
    ///   - makeCache: called when the checkpoint is not the one of before.
    /// - Returns: the cache of that checkpoint, the same one every time, since it also moves parts that are computed with in
    ///   place.
    public func use(_ fingerprint: String, makeCache: () -> PackedModelCache?) -> PackedModelCache? {
        if state.withLock({ $0.fingerprint == fingerprint }) { return state.withLock { $0.cache } }
        release()
        let cache = makeCache()
        state.withLock { $0 = State(fingerprint: fingerprint, cache: cache) }
        return cache
    }

    /// Lets go of everything: parts, what is still to be written of them, and the cache.
    public func release() {
        // Freed outside the lock: it may be much memory.
        let old = state.withLock { state in
            defer { state = State() }
            return state
        }
        old.cache?.cancel()
    }

    /// Lets go of the parts that are not among these.
    func keep(only wanted: Set<PackedPart>) {
        let (old, cache) = state.withLock { state in
            let old = state.parts
            state.parts = old.filter { wanted.contains($0.key) }
            return (old, state.cache)
        }
        cache?.cancel(except: wanted)
        withExtendedLifetime(old) {}
    }

    /// Whether a part of a checkpoint is here.
    public func holds(_ part: PackedPart, of fingerprint: String) -> Bool {
        state.withLock { $0.fingerprint == fingerprint && $0.parts[part] != nil }
    }

    subscript(part: PackedPart) -> Part? {
        get { state.withLock { $0.parts[part] } }
        set { state.withLock { $0.parts[part] = newValue } }
    }
}
