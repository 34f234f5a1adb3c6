import Testing

@testable import Gateway

struct ResponseShelfTests {
    private func shelf(count: Int = 100, bytes: Int = 10_000, age: Int = 100) -> ResponseShelf {
        ResponseShelf(limits: ResponseLimits(maxCount: count, maxByteCount: bytes, maxAgeSeconds: age))
    }

    @Test func `what was not used for longest makes room`() {
        var shelf = shelf(count: 3)
        for id in ["a", "b", "c"] { shelf.put([1], id: id, nowSeconds: 0) }
        #expect(shelf.record("a", nowSeconds: 0) == [1])
        shelf.put([2], id: "d", nowSeconds: 0)
        #expect(shelf.record("b", nowSeconds: 0) == nil)
        #expect(["a", "c", "d"].allSatisfy { shelf.record($0, nowSeconds: 0) != nil })
    }

    @Test func `bytes are bounded, and a record larger than all is not kept`() {
        var shelf = shelf(bytes: 100)
        for number in 0..<10 { shelf.put(Array(repeating: 0, count: 29), id: "\(number)", nowSeconds: 0) }
        #expect(shelf.count == 3)
        #expect(shelf.byteCount == 90)
        shelf.put(Array(repeating: 0, count: 100), id: "x", nowSeconds: 0)
        #expect(shelf.record("x", nowSeconds: 0) == nil)
        #expect(shelf.count == 3)
    }

    @Test func `a record put again counts once`() {
        var shelf = shelf()
        shelf.put([1, 2, 3], id: "a", nowSeconds: 0)
        shelf.put([4], id: "a", nowSeconds: 0)
        #expect(shelf.count == 1 && shelf.byteCount == 2)
        let isFirst = shelf.delete("a")
        let isSecond = shelf.delete("a")
        #expect(isFirst && !isSecond)
        #expect(shelf.count == 0 && shelf.byteCount == 0)
    }

    @Test func `the old are forgotten when they are read and when something new comes`() {
        var shelf = shelf(age: 100)
        shelf.put([1], id: "a", nowSeconds: 0)
        shelf.put([1], id: "b", nowSeconds: 50)
        #expect(shelf.record("a", nowSeconds: 100) == [1])
        #expect(shelf.record("a", nowSeconds: 101) == nil)
        shelf.put([1], id: "c", nowSeconds: 151)
        #expect(shelf.count == 1)
    }

    @Test func `bounds hold for any sequence of operations`() {
        for seed in UInt64(1)...20 {
            var random = SeededRandom(seed: seed)
            var shelf = shelf(count: 7, bytes: 120, age: 40)
            var model: [String: [UInt8]] = [:]
            for now in 0..<400 {
                let id = "\(Int.random(in: 0..<12, using: &random))"
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    let record = Array(repeating: UInt8(now % 251), count: Int.random(in: 0..<60, using: &random))
                    shelf.put(record, id: id, nowSeconds: now)
                    model[id] = record
                case 2: #expect(shelf.record(id, nowSeconds: now).map { $0 == model[id] } ?? true, "seed \(seed)")
                default:
                    shelf.delete(id)
                    model[id] = nil
                }
                #expect(shelf.count <= 7 && shelf.byteCount <= 120, "seed \(seed), step \(now)")
            }
        }
    }

    @Test func `a stored response reads back, and other bytes are refused`() {
        let stored = StoredResponse(
            response: ["id": "x"],
            turns: [ChatTurn(role: .user, content: "a\n\"é"), ChatTurn(role: .assistant, content: "")])
        #expect(StoredResponse(encoded: stored.encoded) == stored)
        for text in ["", "{}", "[]", #"{"response":{},"turns":[["user"]]}"#, #"{"response":{},"turns":[["x","y"]]}"#] {
            #expect(StoredResponse(encoded: Array(text.utf8)) == nil, "\(text)")
        }
    }
}
