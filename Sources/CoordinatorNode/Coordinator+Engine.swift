import Cluster
public import Inference
import Scheduling
import Trust

extension Coordinator: Engine {
    public func describe() async throws -> ModelDescription { model.description }

    public func tokenizerDefinition(hash: String) async throws -> [UInt8] {
        guard hash == model.description.tokenizerHash else {
            throw EngineError(
                code: .invalidRequest,
                message: "no tokenizer has the hash \(hash.prefix(64)); the served one has "
                    + "\(model.description.tokenizerHash)")
        }
        return model.tokenizerDefinition
    }

    public func status() async throws -> ClusterStatus {
        let state: ClusterStatus.State
        var reason: String?
        switch membership.phase {
        case .waiting(let why):
            state = .waiting
            reason = why
        case .loading: state = .loading
        case .serving: state = .ready
        }
        var activity = router.activity
        activity.turnaround = turnaround.summary
        return ClusterStatus(
            state: state, reason: reason, epoch: membership.epoch, model: model.description,
            workers: membership.workerStatuses(now: now), runningRequestCount: router.runningRequestCount,
            waitingRequestCount: router.waitingRequestCount,
            completedRequestCount: router.completedRequestCount,
            generatedTokenCount: router.generatedTokenCount, uptimeSeconds: now / 1000,
            servedPlanCount: servedPlanCount, interruptionCount: interruptionCount,
            workerFailureCount: membership.workerFailureCount, scheduling: activity)
    }

    public func authorize(_ key: KeyHash?) async throws -> String? { try clients.client(key)?.name }

    public func generate(_ request: GenerationRequest) async throws -> GenerationStream {
        _ = try clients.client(request.key)
        try await prepareGrammar(of: request)
        return try submit(request)
    }
}
