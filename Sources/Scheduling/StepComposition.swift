import Inference

/// Who takes part in the next step, and with how many rows: the policy, apart from all bookkeeping.
///
/// - While sequences decode, as many steps are in flight as there are groups, about one per stage, and the decode tokens
///   are spread over them evenly: a stage never waits, and no more steps than needed read the weights again. With one
///   stage all decode tokens share a step.
/// - Prompt chunks go along. While others decode they are short, since every row delays every stream; without any, they
///   are as long as the step allows and one step more may be in flight.
/// - Whoever took part longest ago comes first, among decode tokens as among prompts.
enum StepComposition {
    /// A sequence that could take part.
    struct Demand: Hashable, Sendable {
        let sequence: SequenceID
        /// Rows that are known and not sent; at least 1.
        let rowCount: Int
        let isDecode: Bool
        /// When it last took part.
        let turn: UInt64
    }

    struct Grant: Hashable, Sendable {
        let sequence: SequenceID
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
        let inOrder = demands.sorted { ($0.turn, $0.sequence) < ($1.turn, $1.sequence) }

        let ready = inOrder.filter(\.isDecode)
        let fairCount = divideUp(load.decodingCount, by: load.groupCount)
        let decodeCount = min(divideUp(ready.count, by: freeStepCount), fairCount, limits.maxRowCount)
        var grants = ready.prefix(decodeCount).map { Grant(sequence: $0.sequence, rowCount: 1) }

        var budget = limits.maxRowCount - grants.count
        if isPaced { budget = min(budget, limits.pacedRowCount) }
        for demand in inOrder where !demand.isDecode && budget > 0 {
            let rowCount = min(demand.rowCount, limits.chunkRowCount, budget)
            grants.append(Grant(sequence: demand.sequence, rowCount: rowCount))
            budget -= rowCount
        }
        return grants
    }

    private static func divideUp(_ count: Int, by divisor: Int) -> Int { (count + divisor - 1) / divisor }
}
