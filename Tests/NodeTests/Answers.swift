import Inference

extension GenerationRequest {
    /// Greedy and seeded ones; some with a prefix in common.
    static func mixed(_ count: Int, maxTokens: Int) -> [GenerationRequest] {
        (0..<count).map { number in
            let shared = ExactnessTests.prompt(count: 100 + 50 * (number % 3), below: 1000)
            return GenerationRequest(
                id: RequestID("r\(number)"), prompt: shared + [Int32(3 + number)], maxTokens: maxTokens,
                sampling: SamplingParameters(temperature: number.isMultiple(of: 2) ? 0 : 0.9), seed: UInt64(number),
                ignoreEndOfSequence: true, logprobCount: 2)
        }
    }
}

extension [GenerationRequest] {
    /// Rows that are computed for requests without a beginning in common when nothing is computed twice: all positions but
    /// the last token's.
    var leastRowCount: Int { reduce(0) { $0 + $1.prompt.count + ($1.maxTokens ?? 0) - 1 } }
}

extension GenerationRequest {
    /// The same kinds without a beginning in common.
    static func distinct(_ count: Int, maxTokens: Int) -> [GenerationRequest] {
        mixed(count, maxTokens: maxTokens).enumerated().map { number, request in
            GenerationRequest(
                id: request.id, prompt: [Int32(3 + number)] + request.prompt, maxTokens: maxTokens,
                sampling: request.sampling, seed: request.seed, ignoreEndOfSequence: true, logprobCount: 2)
        }
    }
}

extension Engine {
    /// Runs requests at the same time.
    func answers(_ requests: [GenerationRequest]) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask { (index, try await self.answer(request)) }
            }
            var answers = [Answer](repeating: Answer(), count: requests.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }
}
