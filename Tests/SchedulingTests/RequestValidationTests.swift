import Inference
import Testing

@testable import Scheduling

@Suite struct RequestValidationTests {
    private let configuration = SchedulerConfiguration(
        contextLength: 100, vocabularySize: 50, endOfSequenceTokens: [0])

    private func problem(_ change: (inout GenerationRequest) -> Void) -> EngineError? {
        var request = GenerationRequest(id: RequestID("r"), prompt: [1, 2, 3])
        change(&request)
        do throws(EngineError) {
            try configuration.validate(request)
            return nil
        } catch {
            return error
        }
    }

    @Test func `an ordinary request passes`() {
        #expect(problem { _ in } == nil)
        #expect(problem { $0.maxTokens = 97 } == nil)
        #expect(problem { $0.prompt = Array(repeating: 1, count: 99) } == nil)
        #expect(
            problem {
                $0.prompt = Array(repeating: 1, count: 100)
                $0.maxTokens = 0
            } == nil)
        #expect(problem { $0.generated = [4, 5] } == nil)
    }

    @Test func `what does not fit into the context is refused with the numbers`() {
        let long = problem { $0.maxTokens = 98 }
        #expect(long?.code == .contextOverflow)
        #expect(long?.message.contains("100") == true && long?.message.contains("98") == true)
        #expect(problem { $0.prompt = Array(repeating: 1, count: 100) }?.code == .contextOverflow)
        #expect(problem { $0.maxTokens = Int.max }?.code == .contextOverflow)
        #expect(problem { $0.generated = Array(repeating: 1, count: 98) }?.code == .contextOverflow)
    }

    @Test func `every field is held against its bounds`() {
        let wrong: [(String, (inout GenerationRequest) -> Void)] = [
            ("prompt", { $0.prompt = [] }), ("prompt", { $0.prompt = [1, 50] }), ("prompt", { $0.prompt = [-1] }),
            ("generated", { $0.generated = [50] }), ("stop_token_ids", { $0.stopTokens = [Int32.max] }),
            ("stop_token_ids", { $0.stopTokens = Array(repeating: 1, count: 257) }),
            ("n", { $0.choiceCount = 0 }), ("n", { $0.choiceCount = 129 }),
            (
                "n",
                {
                    $0.generated = [1]
                    $0.choiceCount = 2
                }
            ),
            ("max_tokens", { $0.maxTokens = -1 }),
            (
                "max_tokens",
                {
                    $0.maxTokens = 1
                    $0.generated = [1, 2]
                }
            ),
            ("logprobs", { $0.logprobCount = 21 }), ("logprobs", { $0.logprobCount = -1 }),
            ("prompt_logprobs", { $0.promptLogprobCount = 21 }), ("timeout", { $0.timeoutMilliseconds = 0 }),
            ("temperature", { $0.sampling.temperature = -0.1 }), ("temperature", { $0.sampling.temperature = .nan }),
            ("temperature", { $0.sampling.temperature = .infinity }), ("top_k", { $0.sampling.topK = -1 }),
            ("top_p", { $0.sampling.topP = 0 }), ("top_p", { $0.sampling.topP = 1.01 }),
            ("top_p", { $0.sampling.topP = .nan }), ("min_p", { $0.sampling.minP = .nan }),
            ("min_p", { $0.sampling.minP = -0.5 }), ("presence_penalty", { $0.sampling.presencePenalty = 2.5 }),
            ("frequency_penalty", { $0.sampling.frequencyPenalty = -.infinity }),
            ("repetition_penalty", { $0.sampling.repetitionPenalty = 0 }),
            ("logit_bias", { $0.sampling.logitBias = [LogitBias(token: 50, bias: 1)] }),
            ("logit_bias", { $0.sampling.logitBias = [LogitBias(token: 5, bias: .nan)] }),
            (
                "logit_bias",
                { $0.sampling.logitBias = [LogitBias(token: 5, bias: 1), LogitBias(token: 5, bias: 2)] }
            ),
        ]
        for (index, (parameter, change)) in wrong.enumerated() {
            let error = problem(change)
            #expect(error?.code == .invalidRequest, "case \(index), \(parameter)")
            #expect(error?.parameter == parameter, "case \(index)")
        }
    }
}
