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

    /// Whether the file can be written later, and none of an earlier run is taken for it.
    static func prepare(_ path: String?) throws {
        guard let path else { return }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw CommandError("cannot write the ready file \(path): the folder \(folder) is missing or not writable")
        }
        try? FileManager.default.removeItem(atPath: path)
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
        try Output.write(try data(value) + Data("\n".utf8))
    }
}
