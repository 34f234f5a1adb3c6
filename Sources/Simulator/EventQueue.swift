/// What is going to happen, the earliest first; of things at the same time that which was scheduled first.
///
/// A binary heap: O(log count) for each operation.
struct EventQueue<Event> {
    private struct Entry {
        let milliseconds: Double
        let order: UInt64
        /// Where the event lies: it is larger than what the heap should move.
        let slot: Int

        static func isEarlier(_ left: Entry, _ right: Entry) -> Bool {
            left.milliseconds != right.milliseconds
                ? left.milliseconds < right.milliseconds : left.order < right.order
        }
    }

    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var freeSlots: [Int] = []
    private var nextOrder: UInt64 = 0

    mutating func schedule(_ event: Event, at milliseconds: Double) {
        let slot = freeSlots.popLast() ?? events.count
        if slot < events.count { events[slot] = event } else { events.append(event) }
        heap.append(Entry(milliseconds: milliseconds, order: nextOrder, slot: slot))
        nextOrder += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Entry.isEarlier(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> (milliseconds: Double, event: Event)? {
        guard let first = heap.first, let last = heap.popLast(), let event = events[first.slot] else { return nil }
        events[first.slot] = nil
        freeSlots.append(first.slot)
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return (first.milliseconds, event)
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var earliest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if Entry.isEarlier(heap[child], heap[earliest]) { earliest = child }
            }
            guard earliest != parent else { return }
            heap.swapAt(parent, earliest)
            parent = earliest
        }
    }
}
