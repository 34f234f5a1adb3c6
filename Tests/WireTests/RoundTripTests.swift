import Inference
import Testing

@testable import Wire

@Suite struct RoundTripTests {
    private func expectRoundTrip<Message: WireMessage & Equatable>(_ message: Message, _ seed: UInt64) throws {
        let bytes = message.wireBytes()
        let back = try Message(wireBytes: bytes)
        #expect(back == message, "seed \(seed)")
        #expect(back.wireBytes() == bytes, "seed \(seed)")
    }

    @Test(arguments: 0..<200)
    func `every message comes back as it went`(seed: UInt64) throws {
        var random = RandomMessages(seed: seed)
        try expectRoundTrip(random.workerMessage(), seed)
        try expectRoundTrip(random.coordinatorMessage(), seed)
        try expectRoundTrip(random.model(), seed)
        try expectRoundTrip(random.status(), seed)
        try expectRoundTrip(random.generateMessage(), seed)
        try expectRoundTrip(random.reply(), seed)
        try expectRoundTrip(TokenizerRequest(hash: random.text()), seed)
        let data = random.bytes(300)
        try expectRoundTrip(TokenizerChunk(totalByteCount: random.number(1 << 20), bytes: data), seed)
        try expectRoundTrip(ManifestRequest(fingerprint: random.text()), seed)
        try expectRoundTrip(
            ManifestChunk(
                hashedByteCount: random.number(1 << 50), totalByteCount: random.number(1 << 50),
                manifestByteCount: random.number(WireLimits.manifestByteCount), bytes: data), seed)
        try expectRoundTrip(random.readRequest(), seed)
        try expectRoundTrip(HealthCheckRequest(service: random.text()), seed)
        try expectRoundTrip(random.enrolment(), seed)
        try expectRoundTrip(RenewRequest(certificateRequest: random.bytes(300)), seed)
        try expectRoundTrip(random.certificates(), seed)
        try expectRoundTrip(random.trustUpdate(), seed)
        try expectRoundTrip(AuthorizeRequest(key: random.flag() ? random.keyHash() : nil), seed)
        try expectRoundTrip(random.authorizeReply(), seed)
    }

    @Test(arguments: 0..<100)
    func `an activation comes back as it went, its rows on a boundary of 64 bytes`(seed: UInt64) throws {
        var random = RandomMessages(seed: seed)
        let hiddenSize = 1 + random.number(40)
        let activation = random.activation(hiddenSize: hiddenSize)
        let bytes = activation.wireBytes()
        #expect((bytes.count - activation.rows.count) % 64 == 0)
        #expect(Array(bytes.suffix(activation.rows.count)) == activation.rows)
        let back = try Activation(wireBytes: bytes, hiddenSize: hiddenSize)
        #expect(back.step == activation.step && back.rows == activation.rows, "seed \(seed)")
    }

    @Test func `health statuses are the standard's numbers`() throws {
        #expect(HealthCheckResponse(status: .unknown).wireBytes() == [])
        #expect(HealthCheckResponse(status: .serving).wireBytes() == [8, 1])
        #expect(HealthCheckResponse(status: .notServing).wireBytes() == [8, 2])
        #expect(HealthCheckResponse(status: .serviceUnknown).wireBytes() == [8, 3])
        #expect(try HealthCheckResponse(wireBytes: [8, 77]).status == .unknown)
        #expect(HealthCheckRequest(service: "ab").wireBytes() == [10, 2, 97, 98])
    }

    @Test func `the bytes are protobuf's`() throws {
        // By hand from the encoding's definition (https://protobuf.dev/programming-guides/encoding).
        let ready = WorkerMessage.ready(epoch: Epoch(term: 1, plan: 300), memoryByteCount: 150)
        #expect(ready.wireBytes() == [0x1A, 10, 0x0A, 5, 0x08, 1, 0x10, 0xAC, 2, 0x10, 0x96, 1])
        let token = EngineReply.event(.token(choice: 0, ScoredToken(token: 5, logprob: -0.5, top: [])))
        #expect(token.wireBytes() == [0x2A, 9, 0x12, 7, 0x08, 5, 0x15, 0, 0, 0, 0xBF])
        #expect(EngineReply.accepted(nil).wireBytes() == [0x0A, 0])
        #expect(GenerateMessage.cancelChoice(3).wireBytes() == [0x12, 2, 0x08, 3])
    }

    @Test func `a zero byte in a text, which C cannot hold, is replaced`() throws {
        let message = WorkerMessage.goodbye(reason: "a\0b")
        #expect(try WorkerMessage(wireBytes: message.wireBytes()) == .goodbye(reason: "a\u{FFFD}b"))
    }

    @Test func `a text that is too long is cut at a character`() throws {
        let message = WorkerMessage.goodbye(reason: String(repeating: "漢", count: 30000))
        guard case .goodbye(let reason) = try WorkerMessage(wireBytes: message.wireBytes()) else {
            Issue.record("another message came back")
            return
        }
        #expect(reason.utf8.count <= WireLimits.textByteCount && reason.utf8.count > WireLimits.textByteCount - 8)
        #expect(reason.hasPrefix("漢漢漢"))
    }
}
