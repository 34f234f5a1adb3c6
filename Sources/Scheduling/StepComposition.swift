import Inference

/// Who takes part in the next step, and with how many rows: the policy, apart from all bookkeeping.
///
/// - While sequences decode, as many steps are in flight as there are groups, about one per stage, and the decode tokens
///   are spread over them evenly: a stage never waits, and no more steps than needed read the weights again. With one
///   stage all decode tokens share a step.
/// - Prompt chunks go along. While others decode they are short, since every row delays every stream; without any, they
///   are as long as the step allows and one step more may be in flight.
/// - Among decode tokens, whoever took part longest ago comes first. Among prompts priority decides, then what the
///   clients were served (start-time fair queueing: a prompt's rows begin where its client's rows before it end), then
///   who took part longest ago.
enum StepComposition {
    /// A sequence that could take part.
    struct Demand: Hashable, Sendable {
        let sequence: SequenceRank
        let client: String
        /// What the client was served.
        let service: Double
        /// Rows that are known and not sent; at least 1.
        let rowCount: Int
        let isDecode: Bool
        /// When it last took part.
        let turn: UInt64
    }

    struct Grant: Hashable, Sendable {
        let sequence: SequenceRank
        var rowCount: Int
    }

    /// What the pipeline is busy with.
    struct Load: Hashable, Sendable {
        let stepInFlightCount: Int
        /// The most steps in flight.
        let creditCount: Int
        /// Steps that keep all stages busy while sequences decode.
        let groupCount: Int
        /// Sequences that decode, waiting for a sample or not.
        let decodingCount: Int
    }

    /// The most rows in a step, of one prompt in a step, and of all prompts together in a step while others decode.
    struct Limits: Hashable, Sendable {
        let maxRowCount: Int
        let chunkRowCount: Int
        let pacedRowCount: Int
    }

    static func compose(_ demands: [Demand], load: Load, limits: Limits) -> [Grant] {
        let isPaced = load.decodingCount > 0
        let stepLimit = isPaced ? min(load.groupCount, load.creditCount) : load.creditCount
        let freeStepCount = stepLimit - load.stepInFlightCount
        guard freeStepCount > 0 else { return [] }
        let ready = demands.filter(\.isDecode).sorted { ($0.turn, $0.sequence.id) < ($1.turn, $1.sequence.id) }
        let fairCount = divideUp(load.decodingCount, by: load.groupCount)
        let decodeCount = min(divideUp(ready.count, by: freeStepCount), fairCount, limits.maxRowCount)
        var grants = ready.prefix(decodeCount).map { Grant(sequence: $0.sequence, rowCount: 1) }

        var budget = limits.maxRowCount - grants.count
        if isPaced { budget = min(budget, limits.pacedRowCount) }
        for demand in promptsInOrder(demands, chunkRowCount: limits.chunkRowCount) where budget > 0 {
            let rowCount = min(demand.rowCount, limits.chunkRowCount, budget)
            grants.append(Grant(sequence: demand.sequence, rowCount: rowCount))
            budget -= rowCount
        }
        return grants
    }

    private static func promptsInOrder(_ demands: [Demand], chunkRowCount: Int) -> [Demand] {
        let prompts = demands.filter { !$0.isDecode }.sorted {
            ($0.sequence.priority, $0.turn, $0.sequence.id) < ($1.sequence.priority, $1.turn, $1.sequence.id)
        }
        var rowCounts: [String: Int] = [:]
        let starts = prompts.map { demand in
            let rowCount = rowCounts[demand.client, default: 0]
            rowCounts[demand.client] = rowCount + min(demand.rowCount, chunkRowCount)
            return (demand: demand, start: demand.service + Double(rowCount))
        }
        return starts.sorted {
            ($0.demand.sequence.priority, $0.start, $0.demand.turn, $0.demand.sequence.id)
                < ($1.demand.sequence.priority, $1.start, $1.demand.turn, $1.demand.sequence.id)
        }.map(\.demand)
    }

    private static func divideUp(_ count: Int, by divisor: Int) -> Int { (count + divisor - 1) / divisor }
}
