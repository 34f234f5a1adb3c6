/// Counters that tasks raise at their own index.
///
/// `@unchecked Sendable`: in a test, each index is written by one thread at a time, and read after the run.
@safe final class SharedCounts: @unchecked Sendable {
    private let storage: UnsafeMutableBufferPointer<Int>

    init(_ count: Int) {
        unsafe storage = .allocate(capacity: count)
        unsafe storage.initialize(repeating: 0)
    }

    deinit { unsafe storage.deallocate() }

    func add(_ value: Int, at index: Int) {
        precondition(unsafe storage.indices.contains(index))
        // In bounds by the check above.
        unsafe storage[index] += value
    }

    var values: [Int] { unsafe Array(storage) }
}
