import Foundation
import TestSupport
import Testing

/// Workers that leave a cluster of real processes.
@Suite(.serialized) struct DrainTests {
    @Test func `workers are drained by command and by signal, and end with status 0`() async throws {
        let coordinator = try Program.start([
            "coordinator", "--model", "demo", "--workers", "3", "--replicas", "1", "--port", "0", "--http-port", "0",
            "--cluster-dir", "none",
        ])
        defer { coordinator.cleanUp() }
        let address = try await coordinator.joinAddress()
        let workers = try ["a", "b", "c"].map { name in
            try Program.start([
                "worker", "--join", address, "--name", name, "--threads", "1", "--speed", "1e9", "--cluster-dir",
                "none", "--drain-timeout", "600",
            ])
        }
        defer { for worker in workers { worker.cleanUp() } }
        try await waitUntil("the model is served") { coordinator.text("errors").contains("Serving demo") }
        func drain(_ name: String) async throws -> Program.Outcome {
            try await Program.run(["drain", name, "--coordinator", address, "--cluster-dir", "none"])
        }

        let drained = try await drain("b")
        #expect(drained.status == 0 && drained.output == "b is drained.\n", "\(drained.errors)")
        #expect(try await workers[1].outcome().status == 0)
        let unknown = try await drain("b")
        #expect(unknown.status == 1 && unknown.errors.contains("no worker is named b"), "\(unknown.errors)")

        kill(workers[2].process.processIdentifier, SIGTERM)
        #expect(try await workers[2].outcome().status == 0)

        // The last one: it is told why it stays, and a second signal ends it all the same.
        let refused = try await drain("a")
        #expect(refused.status == 1 && refused.errors.contains("a is needed"), "\(refused.errors)")
        kill(workers[0].process.processIdentifier, SIGTERM)
        try await waitUntil("the worker is told that it is needed") {
            workers[0].text("errors").contains("The cluster needs this worker")
        }
        kill(workers[0].process.processIdentifier, SIGTERM)
        #expect(try await workers[0].outcome().status == 0)
    }
}
