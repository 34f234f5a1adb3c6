/// Hands out tokens in the order (probability descending, id ascending), only as many as are asked for.
///
/// A binary heap over memory that is allocated once. A token's key is its inverted probability's bits above its id:
/// for numbers that are not negative the order of the bits is the order of the numbers.
struct TokenHeap {
    private var keys: [UInt64]
    private(set) var count = 0

    init(capacity: Int) {
        keys = [UInt64](repeating: 0, count: capacity)
    }

    /// Fills the heap with the tokens whose weight is at least `threshold` and above zero.
    mutating func fill(_ weights: UnsafeBufferPointer<Float>, threshold: Float) {
        precondition(weights.count <= keys.count, "the heap was made for this vocabulary")
        count = 0
        for id in weights.indices {
            let weight = unsafe weights[id]
            guard weight >= threshold, weight > 0 else { continue }
            keys[count] = UInt64(~weight.bitPattern) << 32 | UInt64(id)
            count += 1
        }
        for parent in stride(from: count / 2 - 1, through: 0, by: -1) { sink(parent) }
    }

    /// Takes the likeliest token.
    mutating func pop() -> (id: Int, weight: Float)? {
        guard count > 0 else { return nil }
        let key = keys[0]
        count -= 1
        keys[0] = keys[count]
        sink(0)
        return (Int(key & 0xFFFF_FFFF), Float(bitPattern: ~UInt32(truncatingIfNeeded: key >> 32)))
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            guard left < count else { return }
            let right = left + 1
            let child = right < count && keys[right] < keys[left] ? right : left
            guard keys[child] < keys[parent] else { return }
            keys.swapAt(child, parent)
            parent = child
        }
    }
}
