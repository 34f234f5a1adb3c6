import Inference
import Testing

@testable import Wire

/// Nothing that a peer sends may crash the process or make it allocate without bounds.
@Suite struct HostileMessageTests {
    private func problem<Value>(_ read: () throws(WireError) -> Value) -> WireError? {
        do throws(WireError) {
            _ = try read()
            return nil
        } catch {
            return error
        }
    }

    /// Reads the bytes as everything; only `WireError` may come out.
    private func readAsEverything(_ bytes: [UInt8]) {
        _ = problem { () throws(WireError) in try WorkerMessage(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try CoordinatorMessage(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try ModelDescription(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try ClusterStatus(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try GenerateMessage(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try EngineReply(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try TokenizerRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try TokenizerChunk(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try HealthCheckRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try HealthCheckResponse(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try EmptyMessage(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try EnrolRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try RenewRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try CertificatesMessage(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try TrustUpdate(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try ManifestRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try ManifestChunk(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try ReadRequest(wireBytes: bytes) }
        _ = problem { () throws(WireError) in try Activation(wireBytes: bytes, hiddenSize: 8) }
    }

    @Test(arguments: 0..<150)
    func `changed bytes are read or refused, never more`(seed: UInt64) throws {
        var random = RandomMessages(seed: seed)
        let originals = [
            random.workerMessage().wireBytes(), random.coordinatorMessage().wireBytes(),
            CoordinatorMessage.step(random.step()).wireBytes(), WorkerMessage.result(random.result()).wireBytes(),
            random.status().wireBytes(), random.generateMessage().wireBytes(), random.reply().wireBytes(),
            random.activation(hiddenSize: 8).wireBytes(), random.enrolment().wireBytes(),
            random.certificates().wireBytes(), random.trustUpdate().wireBytes(), random.readRequest().wireBytes(),
        ]
        for original in originals {
            for _ in 0..<12 {
                var bytes = original
                for _ in 0...random.number(4) where !bytes.isEmpty {
                    let place = Int.random(in: bytes.indices, using: &random.random)
                    switch Int.random(in: 0..<5, using: &random.random) {
                    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random.random)
                    case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80].randomElement(using: &random.random) ?? 0
                    case 2: bytes.remove(at: place)
                    case 3: bytes.insert(UInt8(random.number(255)), at: place)
                    default: bytes.removeLast(bytes.count - place)
                    }
                }
                readAsEverything(bytes)
            }
        }
        readAsEverything(random.list(400) { UInt8($0.number(255)) })
    }

    @Test func `every changed bit of an activation is noticed`() throws {
        var random = RandomMessages(seed: 4)
        let slice = random.slice()
        let step = Step(epoch: Epoch(term: 1, plan: 2), number: 3, admissions: [], slices: [slice], retired: [])
        let rows = (0..<(slice.rowCount * 8 * 4)).map { UInt8(truncatingIfNeeded: $0) }
        let original = Activation(step: step, rows: rows).wireBytes()
        let headerEnd = 4 + Int(original[0]) + Int(original[1]) << 8
        let paddingEnd = original.count - rows.count
        for place in original.indices where place < headerEnd || place >= paddingEnd {
            var bytes = original
            bytes[place] ^= 1 << UInt8(place % 8)
            let error = problem { () throws(WireError) in try Activation(wireBytes: bytes, hiddenSize: 8) }
            #expect(error != nil, "byte \(place)")
            if place >= paddingEnd { #expect(error?.isChecksumError == true) }
        }
    }

    @Test func `lengths of an activation are checked before they are believed`() throws {
        let step = Step(epoch: Epoch(term: 1, plan: 1), number: 0, admissions: [], slices: [], retired: [])
        let good = Activation(step: step, rows: []).wireBytes()
        #expect(problem { () throws(WireError) in try Activation(wireBytes: good, hiddenSize: 99) } == nil, "no rows")
        for count in 0..<good.count {
            let cut = Array(good.prefix(count))
            #expect(problem { () throws(WireError) in try Activation(wireBytes: cut, hiddenSize: 8) } != nil)
        }
        var huge = good
        huge[3] = 0xFF
        #expect(
            problem { () throws(WireError) in try Activation(wireBytes: huge, hiddenSize: 8) }?.field
                == "Activation.header")
        let longer = good + [UInt8](repeating: 0, count: 32)
        #expect(problem { () throws(WireError) in try Activation(wireBytes: longer, hiddenSize: 8) } != nil)
        var random = RandomMessages(seed: 1)
        let slice = random.slice()
        let other = Step(epoch: step.epoch, number: 0, admissions: [], slices: [slice], retired: [])
        let wide = Activation(step: other, rows: [UInt8](repeating: 0, count: slice.rowCount * 64)).wireBytes()
        let width = problem { () throws(WireError) in try Activation(wireBytes: wide, hiddenSize: 8) }
        #expect(width?.field == "ActivationHeader.hidden_size")
    }

    @Test func `text must be UTF-8 and numbers must be numbers`() throws {
        let field = problem { () throws(WireError) in try HealthCheckRequest(wireBytes: [10, 2, 0xC3, 0x28]) }?.field
        #expect(field == "HealthCheckRequest.service")
        // ChoiceToken with a NaN.
        let notANumber: [UInt8] = [0x2A, 9, 0x12, 7, 0x08, 5, 0x15, 0, 0, 0xC0, 0x7F]
        #expect(
            problem { () throws(WireError) in try EngineReply(wireBytes: notANumber) }?.field == "ScoredToken.logprob")
        // Refused, since an unknown kind of message cannot be passed over; and no content at all.
        #expect(problem { () throws(WireError) in try WorkerMessage(wireBytes: []) }?.field == "WorkerMessage")
        #expect(problem { () throws(WireError) in try WorkerMessage(wireBytes: [0x7A, 0]) } != nil)
        // A ready without an epoch, and an assignment of stage 3 of 2.
        #expect(problem { () throws(WireError) in try WorkerMessage(wireBytes: [0x1A, 0]) }?.field == "Ready.epoch")
        let stage: [UInt8] = [0x1A, 6, 0x0A, 0, 0x10, 3, 0x18, 2]
        #expect(
            problem { () throws(WireError) in try CoordinatorMessage(wireBytes: stage) }?.field
                == "StageAssignment.stage")
    }

    @Test func `unknown fields of a later version are passed over`() throws {
        let reply = EngineReply.event(.queued(ahead: 4))
        #expect(try EngineReply(wireBytes: reply.wireBytes() + [0xF8, 0x07, 1, 0xFA, 0x07, 2, 9, 9]) == reply)
    }

    @Test func `a small message cannot claim much memory`() throws {
        // Two bytes on the wire are a whole struct in memory: three million empty slices.
        let empty = [UInt8](repeating: 0, count: 6_000_000).enumerated().map { $0.offset % 2 == 0 ? 0x22 : UInt8(0) }
        var length: [UInt8] = []
        var rest = empty.count
        while rest > 0 {
            length.append(UInt8(rest & 127) | (rest > 127 ? 128 : 0))
            rest >>= 7
        }
        let step: [UInt8] = [0x22] + length + empty
        let error = problem { () throws(WireError) in try CoordinatorMessage(wireBytes: step) }
        #expect(error?.problem.contains("too much memory") == true)
        let large = [UInt8](repeating: 0, count: WireLimits.messageByteCount + 1)
        #expect(
            problem { () throws(WireError) in try EngineReply(wireBytes: large) }?.problem.contains("at most") == true)
    }
}
