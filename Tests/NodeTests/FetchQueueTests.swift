import TestSupport
import Testing

@testable import WorkerNode

@Suite struct FetchQueueTests {
    @Test func `pieces go out in order, each once`() {
        var queue = FetchQueue(pieces: [3, 5, 8], sourceCount: 2)
        #expect(queue.next(for: 0) == .piece(3))
        #expect(queue.next(for: 1) == .piece(5))
        #expect(queue.next(for: 0) == .piece(8))
        #expect(queue.next(for: 1) == .wait)
        for source in [0, 1, 0] { queue.delivered(by: source) }
        #expect(queue.next(for: 0) == .over && queue.next(for: 1) == .over)
        #expect(queue.isDone && !queue.isStuck)
    }

    @Test func `a source is not asked again for what it lacks, others are`() {
        var queue = FetchQueue(pieces: [1, 2], sourceCount: 2)
        #expect(queue.next(for: 0) == .piece(1))
        queue.lacks(1, 0)
        #expect(queue.next(for: 0) == .piece(2))
        #expect(queue.next(for: 0) == .wait)
        #expect(queue.next(for: 1) == .piece(1))
        queue.lacks(1, 1)
        // Nobody has it.
        #expect(queue.isStuck && !queue.isDone)
        #expect(queue.next(for: 0) == .over && queue.next(for: 1) == .over)
    }

    @Test func `what a closed source had in work is for others`() {
        var queue = FetchQueue(pieces: [1, 2], sourceCount: 2)
        #expect(queue.next(for: 0) == .piece(1))
        queue.giveBack(1)
        queue.close(0, "gone")
        #expect(!queue.isOpen(0) && queue.isOpen(1) && queue.problem(of: 0) == "gone")
        #expect(queue.next(for: 0) == .over)
        #expect(queue.next(for: 1) == .piece(1))
        queue.giveBack(1)
        queue.close(1, "gone, too")
        #expect(queue.isStuck)
    }

    @Test func `a source that lacks everything is left alone`() {
        var queue = FetchQueue(pieces: Array(0..<100), sourceCount: 2)
        for _ in 0..<FetchQueue.lackLimit {
            guard case .piece(let piece) = queue.next(for: 0) else { break }
            queue.lacks(piece, 0)
        }
        #expect(queue.next(for: 0) == .over && queue.problem(of: 0) != nil)
        #expect(queue.isOpen(1))
    }

    @Test func `without sources nothing is waited for`() {
        #expect(FetchQueue(pieces: [1], sourceCount: 0).isStuck)
        #expect(FetchQueue(pieces: [], sourceCount: 0).isDone)
    }

    @Test(arguments: 0..<200)
    func `whatever sources do, it ends, with all pieces delivered once or none left to ask`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let (pieceCount, sourceCount) = (Int.random(in: 1...30, using: &random), Int.random(in: 1...4, using: &random))
        var queue = FetchQueue(pieces: Array(0..<pieceCount), sourceCount: sourceCount)
        var delivered: [Int] = []
        var underWay: [(piece: Int, source: Int)] = []
        var turnCount = 0
        while (0..<sourceCount).contains(where: { queue.isOpen($0) }) {
            turnCount += 1
            guard turnCount < 100_000 else { break }
            let source = Int.random(in: 0..<sourceCount, using: &random)
            if Bool.random(using: &random), case .piece(let piece) = queue.next(for: source) {
                underWay.append((piece, source))
            }
            guard let index = underWay.indices.randomElement(using: &random) else { continue }
            let (piece, from) = underWay.remove(at: index)
            switch Int.random(in: 0..<12, using: &random) {
            case 0: queue.lacks(piece, from)
            case 1: queue.giveBack(piece)
            case 2:
                queue.giveBack(piece)
                if Int.random(in: 0..<5, using: &random) == 0 { queue.close(from, "broken") }
            default:
                queue.delivered(by: from)
                delivered.append(piece)
            }
        }
        for (piece, _) in underWay { queue.giveBack(piece) }
        #expect(turnCount < 100_000, "seed \(seed)")
        #expect(Set(delivered).count == delivered.count, "seed \(seed)")
        #expect(queue.isStuck || Set(delivered).count == pieceCount, "seed \(seed)")
    }
}
