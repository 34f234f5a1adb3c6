import Foundation

/// What `phalanx up` says of the cluster that it started.
struct UpCluster: Decodable {
    struct Worker: Decodable {
        let id: String
        let pid: Int32
        let layers: [Int]
    }

    let url: String
    let pid: Int32
    let coordinator: String
    let workers: [Worker]

    /// Starts a cluster of the demo model and waits until it serves.
    static func start(workers count: Int, _ arguments: [String] = []) async throws -> (Program.Running, UpCluster) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("ready-\(UUID().uuidString).json")
        let running = try Program.start(
            ["up", "--model", "demo", "--workers", "\(count)", "--port", "0", "--ready-file", file.path] + arguments)
        defer { try? FileManager.default.removeItem(at: file) }
        do {
            try await waitUntil("the cluster is ready") {
                guard running.process.isRunning else {
                    throw Program.Failure(description: "phalanx up ended: \(running.text("errors"))")
                }
                return FileManager.default.fileExists(atPath: file.path)
            }
            return (running, try JSONDecoder().decode(UpCluster.self, from: Data(contentsOf: file)))
        } catch {
            running.cleanUp()
            throw error
        }
    }
}
