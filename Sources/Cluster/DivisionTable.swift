import Inference

/// The dynamic programme over all divisions of units of workers into pipelines.
///
/// Equal units are one kind, so that a set of units is a count per kind, a number in a mixed radix.
struct DivisionTable {
    private let units: [[WorkerCapacity]]
    /// The units of each kind, in the given order.
    private let kinds: [[Int]]
    private let strides: [Int]
    private let setCount: Int
    private let limit: Int

    private static let setLimit = 256

    /// Nil when there are too many sets.
    init?(_ units: [[WorkerCapacity]], areLinksAlike: Bool, limit: Int) {
        var kinds: [[Int]] = []
        for unit in units.indices {
            let kind = kinds.firstIndex { areLinksAlike && Self.areAlike(units[$0[0]], units[unit]) }
            if let kind { kinds[kind].append(unit) } else { kinds.append([unit]) }
        }
        var strides = [Int](repeating: 1, count: kinds.count)
        var setCount = 1
        for kind in kinds.indices.reversed() {
            strides[kind] = setCount
            setCount *= kinds[kind].count + 1
            guard setCount <= Self.setLimit else { return nil }
        }
        self.units = units
        self.kinds = kinds
        self.strides = strides
        self.setCount = setCount
        self.limit = min(limit, units.count)
    }

    private static func areAlike(_ one: [WorkerCapacity], _ other: [WorkerCapacity]) -> Bool {
        one.elementsEqual(other) { left, right in
            left.memoryByteCount == right.memoryByteCount && left.bytesPerSecond == right.bytesPerSecond
                && left.multiplyAddsPerSecond == right.multiplyAddsPerSecond
        }
    }

    /// The best division into 1, 2 and so on pipelines; empty for a number that there is none of.
    ///
    /// - Parameter usesAll: no unit is left out.
    func divisions(usesAll: Bool, _ plan: ([WorkerCapacity]) -> PlannedReplica?) -> [[PlannedReplica]] {
        let values = (0..<setCount).map { set in
            set == 0 ? nil : plan(members(of: set, after: 0))?.tokensPerSecond
        }
        let parts = (0..<setCount).map { set in (1..<(set + 1)).filter { values[$0] != nil && contains(set, $0) } }
        // best[k][set]: the most tokens per second of k pipelines of units of the set; choices: the first of them.
        var best = [(0..<setCount).map { set -> Double? in set == 0 || !usesAll ? 0 : nil }]
        var choices = [[Int](repeating: 0, count: setCount)]
        for count in 1...limit {
            best.append([Double?](repeating: nil, count: setCount))
            choices.append([Int](repeating: 0, count: setCount))
            for set in 1..<setCount {
                for part in parts[set] {
                    guard let value = values[part], let rest = best[count - 1][set - part] else { continue }
                    guard best[count][set].map({ value + rest > $0 }) ?? true else { continue }
                    best[count][set] = value + rest
                    choices[count][set] = part
                }
            }
        }
        return (1...limit).map { count in
            guard best[count][setCount - 1] != nil else { return [] }
            var set = setCount - 1
            var used = 0
            return (0..<count).compactMap { done in
                let part = choices[count - done][set]
                defer {
                    set -= part
                    used += part
                }
                return plan(members(of: part, after: used))
            }
        }
    }

    private func count(of kind: Int, in set: Int) -> Int { set / strides[kind] % (kinds[kind].count + 1) }

    private func contains(_ set: Int, _ part: Int) -> Bool {
        kinds.indices.allSatisfy { count(of: $0, in: part) <= count(of: $0, in: set) }
    }

    /// The workers of a set, in the given order, when those of another set are used already.
    private func members(of set: Int, after used: Int) -> [WorkerCapacity] {
        kinds.indices.flatMap { kind in
            kinds[kind].dropFirst(count(of: kind, in: used)).prefix(count(of: kind, in: set))
        }.sorted().flatMap { units[$0] }
    }
}
