import Inference
import Synchronization

/// Everything that `/metrics` tells: what this gateway counted, its process, and the cluster as the coordinator sees it.
///
/// Names follow vLLM's where it has the same measurement, and those of Prometheus' own clients for the process.
struct MetricsReport {
    let metrics: GatewayMetrics
    let process: ProcessFigures?
    /// Nil while the coordinator does not answer; then its part is left out.
    let status: ClusterStatus?
    /// Of the program, such as "0.1.0".
    let version: String

    func text() -> MetricsText {
        var text = MetricsText()
        text.begin("phalanx_build_info", .gauge, "The program that answers; always 1.")
        text.add(1, ["version": version])
        addRequests(&text)
        addHTTP(&text)
        if let process { add(process, &text) }
        text.add(
            "phalanx_coordinator_up", .gauge, status == nil ? 0 : 1,
            "Whether the coordinator answered this gateway when this page was made.")
        if let status {
            add(status, &text)
            add(status.scheduling, &text)
            add(status.workers, &text)
        }
        return text
    }

    private func addRequests(_ text: inout MetricsText) {
        text.begin("phalanx_requests_total", .counter, "Prompts that this gateway gave to the engine, by their end.")
        for (outcome, count) in metrics.outcomeCounts { text.add(Double(count), ["outcome": outcome.rawValue]) }
        func counter(_ name: String, _ value: borrowing Atomic<Int>, _ help: String) {
            text.add(name, .counter, Double(value.load(ordering: .relaxed)), help)
        }
        counter("phalanx_prompt_tokens_total", metrics.promptTokenCount, "Tokens of prompts that were completed.")
        counter(
            "phalanx_cached_prompt_tokens_total", metrics.cachedPromptTokenCount,
            "Those of them that the prefix cache had.")
        counter(
            "phalanx_generation_tokens_total", metrics.generatedTokenCount, "Tokens that came from the engine.")
        text.add(
            "phalanx_time_to_first_token_seconds", metrics.timeToFirstToken,
            "From a request's arrival to its first token.")
        text.add(
            "phalanx_time_per_output_token_seconds", metrics.timePerOutputToken,
            "From a token of an answer to the next one.")
        text.add(
            "phalanx_e2e_request_latency_seconds", metrics.requestLatency,
            "From a request's arrival to the end of its answer, of those that were completed.")
        text.add("phalanx_request_queue_time_seconds", metrics.queueTime, "From a prompt's arrival to its first step.")
        text.add(
            "phalanx_request_prefill_time_seconds", metrics.prefillTime,
            "From a prompt's first step to its first token.")
        text.add(
            "phalanx_request_decode_time_seconds", metrics.decodeTime, "From a prompt's first token to its last one.")
    }

    private func addHTTP(_ text: inout MetricsText) {
        text.begin("phalanx_http_requests_total", .counter, "HTTP requests that were answered.")
        for (key, count) in metrics.answerCounts {
            text.add(Double(count), ["route": key.route, "method": key.method, "code": String(key.code)])
        }
        text.add(
            "phalanx_http_connections", .gauge, Double(metrics.connectionCount.load(ordering: .relaxed)),
            "Connections of clients that are open.")
    }

    private func add(_ process: ProcessFigures, _ text: inout MetricsText) {
        text.add(
            "process_cpu_seconds_total", .counter, process.processorSeconds, "Processor time that this process used.")
        text.add("process_resident_memory_bytes", .gauge, Double(process.residentByteCount), "Memory in use.")
        text.add("process_virtual_memory_bytes", .gauge, Double(process.virtualByteCount), "Address space in use.")
        text.add("process_start_time_seconds", .gauge, process.startSeconds, "When this process began, since 1970.")
        text.add("process_open_fds", .gauge, Double(process.openFileCount), "Open files and connections.")
        text.add("process_max_fds", .gauge, process.maxOpenFileCount, "The most that may be open.")
    }
}
