import Foundation
import Inference

/// What `--ready-file` holds once the cluster serves.
struct ReadyFile: Encodable {
    struct Worker: Encodable {
        let id: String
        let pid: Int
        let address: String
        let layers: [Int]
    }

    let url: String
    let pid: Int
    let coordinator: String
    let model: String
    let workers: [Worker]

    init(url: String, coordinator: String, status: ClusterStatus) {
        self.url = url
        self.coordinator = coordinator
        pid = Int(ProcessInfo.processInfo.processIdentifier)
        model = status.model.id
        workers = status.workers.map { worker in
            Worker(
                id: worker.id.rawValue, pid: worker.processID, address: worker.address,
                layers: worker.layers.map { Array($0.first..<$0.end) } ?? [])
        }
    }

    /// Writes the file whole: a reader never sees half of it.
    func write(to path: String) throws {
        do {
            try JSONOutput.data(self).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandError("cannot write the ready file \(path): \(error.localizedDescription)")
        }
    }
}

/// JSON as scripts read it.
enum JSONOutput {
    static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    static func write(_ value: some Encodable) throws {
        FileHandle.standardOutput.write(try data(value) + Data("\n".utf8))
    }
}
