import Checkpoint

extension ExactnessTests {
    static func layerCount(_ path: String) throws -> Int { try Checkpoint.open(path).configuration.layerCount }
}
