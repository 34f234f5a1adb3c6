import HTTP2
import Testing

@testable import Transport

struct HeaderTests {
    @Test func `timeouts survive the header and only ever grow`() throws {
        let timeouts: [Duration] = [
            .nanoseconds(1), .microseconds(1), .milliseconds(1), .seconds(1), .milliseconds(99_999), .seconds(100),
            .seconds(3601), .seconds(99_999), .seconds(100_000), .seconds(50_000_000),
        ]
        for timeout in timeouts {
            let header = CallTimeout.encode(timeout)
            #expect(header.utf8.count <= 9)
            let decoded = try #require(CallTimeout.decode(header))
            #expect(decoded >= timeout)
            #expect(decoded <= timeout + max(.microseconds(1), timeout / 50))
        }
        #expect(CallTimeout.encode(.seconds(-1)) == "1u")
        #expect(CallTimeout.encode(.seconds(Int64.max / 2)) == "99999999S")
    }

    @Test func `every unit of the specification is understood`() {
        #expect(CallTimeout.decode("2H") == .seconds(7200))
        #expect(CallTimeout.decode("2M") == .seconds(120))
        #expect(CallTimeout.decode("2S") == .seconds(2))
        #expect(CallTimeout.decode("2m") == .milliseconds(2))
        #expect(CallTimeout.decode("2u") == .microseconds(2))
        #expect(CallTimeout.decode("2n") == .nanoseconds(2))
    }

    @Test func `any message survives percent encoding`() {
        for text in ["", "plain", "100 %", "läyer\n\t7 🙂", "%41", "%", "%4", "a%zz"] {
            let encoded = PercentEncoding.encode(text)
            #expect(encoded.utf8.allSatisfy { (0x20...0x7e).contains($0) })
            #expect(PercentEncoding.decode(encoded) == text)
        }
        #expect(PercentEncoding.encode("100 %\n") == "100 %25%0A")
        #expect(PercentEncoding.decode("%zz%4") == "%zz%4")
    }

    @Test func `messages are found however their bytes are cut`() throws {
        let messages: [[UInt8]] = [[], [1], [UInt8](repeating: 2, count: 300), [3, 3]]
        let bytes = messages.flatMap { MessageAssembler.prefix(byteCount: $0.count) + $0 }
        for size in 1...bytes.count {
            var assembler = MessageAssembler(limitByteCount: 300)
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                try assembler.push(Array(bytes[start..<min(bytes.count, start + size)]), to: &found)
            }
            #expect(found == messages, "portions of \(size)")
            #expect(!assembler.isInsideMessage)
        }
    }

    @Test func `statuses that are no numbers of gRPC are unknown`() {
        for value in ["x", "17", "-1", ""] {
            let status = ResponseHead.status([HTTP2Header("grpc-status", value)], peer: "here")
            #expect(status?.code == .unknown, "\(value)")
        }
        #expect(ResponseHead.status([], peer: "here")?.code == .unknown)
        #expect(ResponseHead.status([HTTP2Header("grpc-status", "0")], peer: "here") == nil)
    }
}
