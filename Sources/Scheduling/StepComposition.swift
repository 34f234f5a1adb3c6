import Inference

/// Who takes part in the next step, and with how many rows: the policy, apart from all bookkeeping.
///
/// Sequences come in order of arrival. Waiting decode tokens go first (one row each), then prompt chunks as far as the
/// row budget reaches.
enum StepComposition {
    /// A sequence that could take part.
    struct Demand: Hashable, Sendable {
        let sequence: SequenceID
        /// Rows that are known and not sent; at least 1.
        let rowCount: Int
        let isDecode: Bool
    }

    struct Grant: Hashable, Sendable {
        let sequence: SequenceID
        let rowCount: Int
    }

    static func compose(_ demands: [Demand], maxRowCount: Int, chunkRowCount: Int) -> [Grant] {
        var budget = maxRowCount
        var grants: [Grant] = []
        for demand in demands where demand.isDecode && budget > 0 {
            grants.append(Grant(sequence: demand.sequence, rowCount: 1))
            budget -= 1
        }
        for demand in demands where !demand.isDecode && budget > 0 {
            let rowCount = min(demand.rowCount, chunkRowCount, budget)
            grants.append(Grant(sequence: demand.sequence, rowCount: rowCount))
            budget -= rowCount
        }
        return grants
    }
}
