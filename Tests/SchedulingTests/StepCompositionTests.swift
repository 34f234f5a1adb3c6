import Inference
import Testing

@testable import Scheduling

/// Who shares a step, without any bookkeeping around it.
@Suite struct StepCompositionTests {
    private typealias Demand = StepComposition.Demand

    private func decode(_ id: Int, turn: UInt64 = 0) -> Demand {
        Demand(
            sequence: SequenceRank(priority: 0, id: SequenceID(UInt64(id))), client: "", service: 0, rowCount: 1,
            isDecode: true, turn: turn)
    }

    private func decodes(_ count: Int) -> [Demand] { (0..<count).map { decode($0) } }

    private func prompt(
        _ id: UInt64, rows: Int, turn: UInt64 = 0, client: String = "", service: Double = 0, priority: Int = 0
    ) -> Demand {
        Demand(
            sequence: SequenceRank(priority: priority, id: SequenceID(id)), client: client, service: service,
            rowCount: rows, isDecode: false, turn: turn)
    }

    private func compose(
        _ demands: [Demand], inFlight: Int = 0, stages: Int, decoding: Int? = nil, paced: Int = 16
    ) -> [StepComposition.Grant] {
        StepComposition.compose(
            demands,
            load: StepComposition.Load(
                stepInFlightCount: inFlight, creditCount: stages + 1, groupCount: stages,
                decodingCount: decoding ?? demands.filter(\.isDecode).count),
            limits: StepComposition.Limits(maxRowCount: 64, chunkRowCount: 48, pacedRowCount: paced))
    }

    @Test func `with one stage all decode tokens share one step`() {
        #expect(compose(decodes(9), stages: 1).count == 9)
        #expect(compose(decodes(9), inFlight: 1, stages: 1).isEmpty, "they join the next one")
    }

    @Test func `decode tokens are spread over as many steps as there are stages`() {
        var left = decodes(9)
        var sizes: [Int] = []
        for inFlight in 0..<4 {
            let grants = compose(left, inFlight: inFlight, stages: 4, decoding: 9)
            sizes.append(grants.count)
            left.removeFirst(grants.count)
        }
        #expect(sizes == [3, 2, 2, 2])
        #expect(compose(decodes(9), inFlight: 4, stages: 4).isEmpty)
    }

    @Test func `a group that grew gives some of its tokens to the next`() {
        #expect(compose(decodes(6), inFlight: 3, stages: 4, decoding: 12).count == 3)
    }

    @Test func `prompts are short while others decode and fill the step otherwise`() {
        let both = decodes(3) + [prompt(10, rows: 500)]
        #expect(compose(both, stages: 1).map(\.rowCount) == [1, 1, 1, 16])
        let alone = [prompt(10, rows: 500), prompt(11, rows: 500)]
        #expect(compose(alone, stages: 1).map(\.rowCount) == [48, 16])
        #expect(compose(alone, stages: 1, decoding: 2).map(\.rowCount) == [16])
        #expect(compose(alone, inFlight: 1, stages: 1).map(\.rowCount) == [48, 16], "chunks do not wait")
        #expect(compose(alone, inFlight: 2, stages: 1).isEmpty, "no credit is left")
    }

    @Test func `who took part longest ago comes first`() {
        let demands = [prompt(1, rows: 500, turn: 9), prompt(2, rows: 20, turn: 3), prompt(3, rows: 500, turn: 5)]
        let grants = compose(demands, stages: 2)
        #expect(grants.map(\.sequence.id.rawValue) == [2, 3])
        #expect(grants.map(\.rowCount) == [20, 44])
        let many = (0..<100).map { decode($0, turn: UInt64(100 - $0)) }
        #expect(compose(many, stages: 1).map(\.sequence.id.rawValue) == (36..<100).reversed())
    }

    @Test func `a client's many prompts leave room for another's short one`() {
        let many = (0..<30).map { prompt($0, rows: 500, turn: 1, client: "many", service: 100) }
        // As much served as the other client and later, it goes after one of its prompts; served less, first.
        let other = prompt(40, rows: 10, turn: 9, client: "one", service: 100)
        #expect(compose(many + [other], stages: 1).map(\.sequence.id.rawValue) == [0, 40, 1])
        let served = prompt(40, rows: 10, turn: 9, client: "one", service: 99)
        #expect(compose(many + [served], stages: 1).map(\.rowCount) == [10, 48, 6])
        let short = (0..<10).map { prompt($0, rows: 6, turn: 1, client: "many", service: 100) }
        let late = prompt(40, rows: 10, turn: 9, client: "one", service: 115)
        #expect(compose(short + [late], stages: 1).map(\.sequence.id.rawValue).firstIndex(of: 40) == 3)
    }

    @Test func `among prompts priority comes first`() {
        let demands = [
            prompt(1, rows: 30, turn: 1), prompt(2, rows: 30, turn: 2, service: 900, priority: -1),
            prompt(3, rows: 30, turn: 3, client: "other", priority: 1),
        ]
        #expect(compose(demands, stages: 1).map(\.sequence.id.rawValue) == [2, 1, 3])
        #expect(compose(demands, stages: 1).map(\.rowCount) == [30, 30, 4])
    }
}
