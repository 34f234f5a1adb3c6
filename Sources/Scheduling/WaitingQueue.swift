import Inference

/// Sequences whose turn has not come, each client's by priority and age.
struct WaitingQueue: Sendable {
    private var queues: [String: [SequenceRank]] = [:]
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func insert(_ rank: SequenceRank, of client: String) {
        let index = queues[client, default: []].firstIndex(notBelow: rank)
        queues[client, default: []].insert(rank, at: index)
        count += 1
    }

    mutating func remove(_ rank: SequenceRank, of client: String) {
        guard let index = queues[client]?.firstIndex(notBelow: rank), queues[client]?[index] == rank else { return }
        queues[client]?.remove(at: index)
        if queues[client]?.isEmpty == true { queues[client] = nil }
        count -= 1
    }

    /// Who is next: by priority, then the client with the least service, then by age. O(clients that wait).
    ///
    /// - Parameters:
    ///   - passed: so many of a client's sequences are passed over.
    ///   - service: what a client was served.
    func next(passing passed: [String: Int], service: (String) -> Double) -> SequenceID? {
        var best: (priority: Int, service: Double, id: SequenceID)?
        for (client, queue) in queues {
            let index = passed[client, default: 0]
            guard index < queue.count else { continue }
            let candidate = (priority: queue[index].priority, service: service(client), id: queue[index].id)
            guard let found = best, found < candidate else {
                best = candidate
                continue
            }
        }
        return best?.id
    }
}

/// Who comes before whom when pages are short: lower priorities first, then older sequences.
struct SequenceRank: Hashable, Comparable, Sendable {
    let priority: Int
    let id: SequenceID

    static func < (left: SequenceRank, right: SequenceRank) -> Bool {
        (left.priority, left.id) < (right.priority, right.id)
    }
}

extension [SequenceRank] {
    /// The first index of an ascending array whose rank is not below the one given.
    fileprivate func firstIndex(notBelow rank: SequenceRank) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < rank { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
