import Cluster
import Foundation
import Host
import Inference
import Terminal

/// The workers and links of a cluster that shall be planned, as a user describes them in a JSON file.
struct ClusterSpecification {
    struct Worker {
        let capacity: WorkerCapacity
        /// For people; the speeds are those of all threads together.
        let threadCount: Int?
    }

    let workers: [Worker]
    let links: ClusterLinks

    static let workerLimit = 1024
    private static let byteLimit = 4 << 20
    private static let nameLimit = 128

    static let example = """
        {
          "workers": [
            {"name": "alpha", "memory": "12GiB", "read_gb_per_s": 18.5, "int8_gmac_per_s": 420, "threads": 8},
            {"name": "beta", "memory": "8GiB", "read_gb_per_s": 9, "count": 3}
          ],
          "link": {"gbit_per_s": 1, "delay_ms": 0.2},
          "links": [{"between": ["beta-1", "beta-2"], "gbit_per_s": 10, "delay_ms": 0.05}]
        }
        """

    /// Reads a file; throws what is wrong with it, and where.
    init(path: String) throws {
        let bytes = try Self.contents(path)
        let root: SpecificationValue
        do {
            root = try JSONDecoder().decode(SpecificationValue.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw CommandError("\(path) is not JSON: \(Self.describe(error))")
        }
        do {
            try self.init(root)
        } catch let error as CommandError {
            throw CommandError("\(path): \(error.description); see phalanx plan --help for an example")
        }
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CommandError("cannot read \(path): no such file, or not permitted")
        }
        defer { try? file.close() }
        let data: Data?
        do {
            data = try file.read(upToCount: byteLimit + 1)
        } catch {
            throw CommandError("cannot read \(path): \(error.localizedDescription)")
        }
        guard let data, !data.isEmpty else { throw CommandError("\(path) is empty") }
        guard data.count <= byteLimit else {
            throw CommandError("\(path) is larger than \(ByteCount.text(byteLimit)): is it a list of workers?")
        }
        return [UInt8](data)
    }

    private static func describe(_ error: DecodingError) -> String {
        guard case .dataCorrupted(let context) = error else { return "a value that cannot be represented" }
        let cause = context.underlyingError.map { ($0 as NSError).userInfo[NSDebugDescriptionErrorKey] ?? $0 }
        return cause.map { "\($0)" } ?? context.debugDescription
    }

    private init(_ root: SpecificationValue) throws {
        let object = try SpecificationObject(root, place: "the file", known: ["workers", "link", "links"])
        var workers: [Worker] = []
        for (index, value) in (try object.list("workers") ?? []).enumerated() {
            workers += try Self.workers(value, place: "workers[\(index)]")
            guard workers.count <= Self.workerLimit else {
                throw CommandError("there are more than \(Self.workerLimit) workers")
            }
        }
        guard !workers.isEmpty else { throw CommandError("there are no \"workers\"") }
        var names: Set<NodeID> = []
        for worker in workers where !names.insert(worker.capacity.node).inserted {
            throw CommandError("two workers are named \"\(worker.capacity.node)\"")
        }
        self.workers = workers
        links = ClusterLinks(
            ordinary: try object.value("link").map { try Self.link($0) } ?? .loopback,
            special: try Self.special(try object.list("links") ?? [], names))
    }

    private static func workers(_ value: SpecificationValue, place: String) throws -> [Worker] {
        let object = try SpecificationObject(
            value, place: place,
            known: ["name", "memory", "read_gb_per_s", "int8_gmac_per_s", "threads", "count"])
        guard case .text(let name) = try object.required("name"), !name.isEmpty, name.utf8.count <= nameLimit else {
            throw CommandError("\(place): \"name\" must be a text of 1 to \(nameLimit) bytes")
        }
        let memoryByteCount = try memory(try object.required("memory"), place: place)
        let readSpeed = try object.requiredNumber("read_gb_per_s", 0.001...1e6)
        let multiplySpeed = try object.number("int8_gmac_per_s", 0.001...1e9)
        let threadCount = try object.integer("threads", 1...65536)
        let count = try object.integer("count", 1...workerLimit)
        let names = count.map { (1...$0).map { "\(name)-\($0)" } } ?? [name]
        return names.map { name in
            Worker(
                capacity: WorkerCapacity(
                    node: NodeID(name), memoryByteCount: memoryByteCount, bytesPerSecond: readSpeed * 1e9,
                    multiplyAddsPerSecond: multiplySpeed.map { $0 * 1e9 }),
                threadCount: threadCount)
        }
    }

    private static func memory(_ value: SpecificationValue, place: String) throws -> Int {
        if case .text(let text) = value, let byteCount = ByteCount.parse(text) { return byteCount }
        if case .number(let number) = value, let byteCount = Int(exactly: number), (1..<1 << 62).contains(byteCount) {
            return byteCount
        }
        throw CommandError("\(place): \"memory\" must be a size such as \"12GiB\", or a number of bytes")
    }

    private static let linkKeys = ["gbit_per_s", "delay_ms"]

    private static func link(_ value: SpecificationValue) throws -> LinkSpeed {
        try link(SpecificationObject(value, place: "link", known: linkKeys))
    }

    private static func link(_ object: SpecificationObject) throws -> LinkSpeed {
        LinkSpeed(
            bytesPerSecond: try object.requiredNumber("gbit_per_s", 1e-6...1e6) * 1e9 / 8,
            delaySeconds: try object.requiredNumber("delay_ms", 0...60_000) / 1000)
    }

    private static func special(
        _ values: [SpecificationValue], _ names: Set<NodeID>
    ) throws -> [ClusterLinks.Pair: LinkSpeed] {
        var special: [ClusterLinks.Pair: LinkSpeed] = [:]
        for (index, value) in values.enumerated() {
            let place = "links[\(index)]"
            let object = try SpecificationObject(value, place: place, known: ["between"] + linkKeys)
            guard case .list(let ends) = try object.required("between"), ends.count == 2,
                case .text(let one) = ends[0], case .text(let other) = ends[1], one != other
            else { throw CommandError("\(place): \"between\" must be the names of two workers: [\"alpha\", \"beta\"]") }
            for name in [one, other] where !names.contains(NodeID(name)) {
                throw CommandError("\(place): there is no worker \"\(name)\"")
            }
            let pair = ClusterLinks.Pair(NodeID(one), NodeID(other))
            guard special.updateValue(try link(object), forKey: pair) == nil else {
                throw CommandError("\(place): the link between \"\(one)\" and \"\(other)\" comes twice")
            }
        }
        return special
    }
}
