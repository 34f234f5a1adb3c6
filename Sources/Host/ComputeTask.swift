/// A computation in pieces that `ComputePool` shares out: the state that a closure would capture, as a type of its own.
public protocol ComputeTask {
    /// Computes piece `index`. Called once per index, from any of the pool's threads at the same time as other indices.
    ///
    /// - Parameter thread: the thread that computes, below the pool's `threadCount`; it has no other task meanwhile.
    func compute(_ index: Int, thread: Int)
}

extension ComputeTask {
    /// Computes piece `index` of the value of this type at `state`, which must be valid during the call.
    static func compute(_ index: Int, thread: Int, of state: UnsafeRawPointer) {
        // `ComputePool.run` pairs the type with a pointer to a value of that type.
        unsafe state.assumingMemoryBound(to: Self.self).pointee.compute(index, thread: thread)
    }
}
