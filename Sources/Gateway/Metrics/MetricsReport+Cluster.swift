import Inference

/// The cluster's part of `/metrics`. Every gateway of a cluster tells the same of it.
extension MetricsReport {
    func add(_ status: ClusterStatus, _ text: inout MetricsText) {
        text.begin("phalanx_model_info", .gauge, "The served model; always 1.")
        let model = status.model
        text.add(
            1,
            [
                "model": model.id, "quantization": model.quantization, "fingerprint": model.systemFingerprint,
            ])
        text.begin("phalanx_cluster_state", .gauge, "1 for the state that the cluster is in.")
        for state in [ClusterStatus.State.waiting, .loading, .ready] {
            text.add(state == status.state ? 1 : 0, ["state": state.rawValue])
        }
        text.add("phalanx_coordinator_uptime_seconds", .gauge, status.uptimeSeconds, "Since the coordinator began.")
        text.add("phalanx_requests_running", .gauge, Double(status.runningRequestCount), "Prompts that began.")
        text.add("phalanx_requests_waiting", .gauge, Double(status.waitingRequestCount), "Prompts in the queue.")
        text.add(
            "phalanx_cluster_requests_completed_total", .counter, Double(status.completedRequestCount),
            "Prompts that the cluster completed, of all gateways.")
        text.add(
            "phalanx_cluster_generation_tokens_total", .counter, Double(status.generatedTokenCount),
            "Tokens that the cluster generated, of all gateways.")
        text.add(
            "phalanx_plans_served_total", .counter, Double(status.servedPlanCount),
            "Times that a pipeline began to serve, with the first plan of each or another one.")
        text.add(
            "phalanx_interruptions_total", .counter, Double(status.interruptionCount),
            "Times that a pipeline which served fell.")
        text.add(
            "phalanx_worker_failures_total", .counter, Double(status.workerFailureCount),
            "Workers that failed or were lost.")
    }

    func add(_ scheduling: SchedulingActivity, _ text: inout MetricsText) {
        text.add("phalanx_kv_pages", .gauge, Double(scheduling.pageCount), "KV pages of every stage.")
        text.add("phalanx_kv_pages_used", .gauge, Double(scheduling.usedPageCount), "Those of running sequences.")
        text.add(
            "phalanx_kv_pages_cached", .gauge, Double(scheduling.cachedPageCount),
            "Those that no sequence uses and that hold cached prefixes.")
        text.add(
            "phalanx_prefix_cache_queries_total", .counter, Double(scheduling.lookedUpTokenCount),
            "Tokens that were looked up in the prefix cache.")
        text.add(
            "phalanx_prefix_cache_hits_total", .counter, Double(scheduling.hitTokenCount),
            "Those of them that were found.")
        text.add(
            "phalanx_preemptions_total", .counter, Double(scheduling.preemptionCount),
            "Sequences that were put back for want of KV pages.")
        text.add("phalanx_steps_total", .counter, Double(scheduling.stepCount), "Steps sent to pipelines.")
        text.add("phalanx_step_rows_total", .counter, Double(scheduling.rowCount), "Rows in all steps together.")
        text.add(
            "phalanx_micro_batches", .gauge, Double(scheduling.microBatchCount),
            "Steps that decode tokens are spread over.")
        let turnaround = scheduling.turnaround
        text.begin(
            "phalanx_turnaround_seconds", .summary, "From a step's result to the step after it, in the coordinator.")
        text.add(turnaround.medianMicroseconds / 1e6, ["quantile": "0.5"])
        text.add(turnaround.p99Microseconds / 1e6, ["quantile": "0.99"])
        text.add(turnaround.mostMicroseconds / 1e6, ["quantile": "1"])
        text.add(turnaround.totalMicroseconds / 1e6, suffix: "_sum")
        text.add(Double(turnaround.count), suffix: "_count")
    }

    func add(_ workers: [WorkerStatus], _ text: inout MetricsText) {
        text.begin("phalanx_worker_info", .gauge, "Where a worker is and what it holds; always 1.")
        for worker in workers {
            text.add(
                1,
                [
                    "worker": worker.id.rawValue, "address": worker.address,
                    "replica": worker.replica.map { "\($0)" } ?? "",
                    "layers": worker.layers.map { "\($0)" } ?? "",
                ])
        }
        text.begin("phalanx_worker_state", .gauge, "1 for the state that a worker is in.")
        for worker in workers {
            for state in [WorkerStatus.State.joined, .loading, .ready, .failed, .lost] {
                text.add(state == worker.state ? 1 : 0, ["worker": worker.id.rawValue, "state": state.rawValue])
            }
        }
        func add(
            _ name: String, _ help: String, _ kind: MetricsText.Kind = .gauge, _ value: (WorkerStatus) -> Double
        ) {
            text.begin(name, kind, help)
            for worker in workers { text.add(value(worker), ["worker": worker.id.rawValue]) }
        }
        add("phalanx_worker_up", "Whether a worker is connected and well.") {
            $0.state == .failed || $0.state == .lost ? 0 : 1
        }
        add("phalanx_worker_last_heard_seconds", "Since a worker was last heard of.") { $0.silentSeconds }
        add("phalanx_worker_threads", "Threads that compute.") { Double($0.threadCount) }
        add("phalanx_worker_memory_bytes", "Weights and KV pages.") { Double($0.memoryByteCount) }
        add("phalanx_worker_memory_limit_bytes", "The most that they may take.") { Double($0.memoryLimitByteCount) }
        add("phalanx_worker_loaded_ratio", "How much of a worker's layers is loaded.") { $0.loadedFraction }
        add("phalanx_worker_busy_ratio", "The part of its latest seconds that a worker computed.") { $0.busyFraction }
        add("phalanx_worker_bubble_ratio", "The part of the same seconds that it waited while sequences were running.")
        {
            $0.bubbleFraction
        }
        add(
            "phalanx_worker_busy_seconds_total", "Time that a worker computed, since it was given its layers.", .counter
        ) { $0.busySeconds }
        add("phalanx_worker_rows_total", "Rows that it computed in this time.", .counter) { Double($0.rowCount) }
    }
}
