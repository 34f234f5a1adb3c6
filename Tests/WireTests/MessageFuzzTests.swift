import Inference
import TestSupport
import Testing

@testable import Wire

/// Mutated messages are read or refused, in little memory, and what is read can be written and read again.
struct MessageFuzzTests {
    private struct Changed: Error {}

    /// Reads bytes as a message and gives what it writes; that must be read as the same again.
    private static func rewritten<Message: WireMessage>(_ type: Message.Type, _ bytes: [UInt8]) throws {
        let written = try Message(wireBytes: bytes).wireBytes()
        do {
            guard try Message(wireBytes: written).wireBytes() == written else { throw Changed() }
        } catch is WireError {
            throw Changed()
        }
    }

    /// The messages of all services; an input's first byte says which one the rest is.
    private static let kinds: [any WireMessage.Type] = [
        WorkerMessage.self, CoordinatorMessage.self, ModelDescription.self, ClusterStatus.self, GenerateMessage.self,
        EngineReply.self, TokenizerRequest.self, TokenizerChunk.self, HealthCheckRequest.self,
        HealthCheckResponse.self, EmptyMessage.self, EnrolRequest.self, RenewRequest.self, CertificatesMessage.self,
        TrustUpdate.self, DrainRequest.self,
    ]

    private static func fuzzMessages() throws {
        var random = RandomMessages(seed: 1)
        var seeds: [[UInt8]] = []
        func add(_ message: some WireMessage) {
            let kind = kinds.firstIndex { $0 == type(of: message) }
            seeds.append([UInt8(kind ?? 0)] + message.wireBytes())
        }
        for _ in 0..<4 {
            add(random.workerMessage())
            add(WorkerMessage.result(random.result()))
            add(random.coordinatorMessage())
            add(CoordinatorMessage.step(random.step()))
            add(random.model())
            add(random.status())
            add(random.generateMessage())
            add(random.reply())
            add(TokenizerRequest(hash: random.text()))
            add(TokenizerChunk(totalByteCount: 9, bytes: random.bytes(90)))
            add(HealthCheckRequest(service: random.text()))
            add(HealthCheckResponse(status: .serving))
            add(random.enrolment())
            add(RenewRequest(certificateRequest: random.bytes(90)))
            add(random.certificates())
            add(random.trustUpdate())
            add(DrainRequest(node: random.text()))
        }
        var fuzzer = try Fuzzer("wire", seeds: seeds)
        try fuzzer.run(keeping: 1) { input in
            let kind = kinds[Int(input.first ?? 0) % kinds.count]
            do {
                try rewritten(kind, Array(input.dropFirst()))
                return "\(kind)"
            } catch let error as WireError {
                return "\(kind) \(error.field) \(error.problem.filter { !$0.isNumber })"
            }
        }
    }

    /// Puts the right checksum into an activation, where there is room for one, so that what is behind it is reached.
    private static func withChecksum(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        guard bytes.count >= 4 else { return bytes }
        let end = 4 + (0..<4).reduce(0) { $0 + Int(bytes[$1]) << (8 * $1) }
        let rowsStart = (end + 63) / 64 * 64
        guard end >= 9, rowsStart <= bytes.count else { return bytes }
        let checksum = CRC32C.checksum(
            Array(bytes[rowsStart...]), continuing: CRC32C.checksum(Array(bytes[4..<end - 5])))
        bytes[end - 5] = 15 << 3 | 5
        for index in 0..<4 { bytes[end - 4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
        return bytes
    }

    private static func fuzzActivations() throws {
        var random = RandomMessages(seed: 2)
        var fuzzer = try Fuzzer("activation", seeds: (0..<12).map { _ in random.activation(hiddenSize: 8).wireBytes() })
        try fuzzer.run { input in
            // Odd lengths keep what checksum they have.
            let bytes = input.count % 8 == 7 ? input : withChecksum(input)
            do {
                let activation = try Activation(wireBytes: bytes, hiddenSize: 8)
                let again = try Activation(wireBytes: activation.wireBytes(), hiddenSize: 8)
                guard again.step == activation.step, again.rows == activation.rows else { throw Changed() }
                return "read, \(min(activation.step.slices.count, 4)) slices"
            } catch let error as WireError {
                return "\(error.field) \(error.problem.filter { !$0.isNumber })"
            }
        }
    }

    @Test func `mutated messages are read or refused`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "wire"))") {
            try MessageFuzzTests.fuzzMessages()
        }
    }

    @Test func `mutated activations are read or refused`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "activation"))") {
            try MessageFuzzTests.fuzzActivations()
        }
    }
}
