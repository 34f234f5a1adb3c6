import HTTP2
import TestSupport
import Testing

@testable import Transport

/// gRPC's own framing over what HTTP/2 delivers: messages in a body, and the meaning of header fields.
struct FramingFuzzTests {
    private struct Broken: Error { let what: String }

    /// The messages in the bytes, cut into portions, and the code of the status that ended them.
    private static func messages(_ bytes: ArraySlice<UInt8>, portion: Int) -> ([[UInt8]], RPCError.Code?) {
        var assembler = MessageAssembler(limitByteCount: 4096)
        var found: [[UInt8]] = []
        do throws(RPCError) {
            for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: portion) {
                try assembler.push(Array(bytes[start..<min(bytes.endIndex, start + portion)]), to: &found)
            }
            return (found, assembler.isInsideMessage ? .dataLoss : nil)
        } catch {
            return (found, error.code)
        }
    }

    private static func fuzzMessages() throws {
        let bodies: [[UInt8]] = [
            [0, 0, 0, 0, 0], [0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 1, 9], [1, 0, 0, 0, 1, 9],
            [0, 0, 0, 16, 0] + [UInt8](repeating: 7, count: 4096), [0, 255, 255, 255, 255, 1],
        ]
        var fuzzer = try Fuzzer("grpc-messages", seeds: bodies.map { [3] + $0 })
        try fuzzer.run { input in
            let body = input.dropFirst()
            let whole = messages(body, portion: max(1, body.count))
            let parts = messages(body, portion: 1 + Int(input.first ?? 0))
            guard whole.0 == parts.0, whole.1 == parts.1 else { throw Broken(what: "depends on the portions") }
            // Each message took its prefix and its bytes, in order.
            let taken = whole.0.flatMap { MessageAssembler.prefix(byteCount: $0.count) + $0 }
            guard body.starts(with: taken) else { throw Broken(what: "other bytes came out") }
            let end = whole.1.map { "\($0)" } ?? "whole"
            return "\(min(whole.0.count, 8)) \(end), \(whole.0.contains([])) \(whole.0.contains { $0.count > 255 })"
        }
    }

    /// Lines "name: value" as header fields.
    private static func fields(_ input: [UInt8]) -> [HTTP2Header] {
        input.split(separator: 10).map { line in
            let parts = line.split(separator: 9, maxSplits: 1)
            let text = parts.map { String(decoding: $0, as: UTF8.self) }
            return HTTP2Header(text.first ?? "", text.count > 1 ? text[1] : "")
        }
    }

    private static func lines(_ fields: [HTTP2Header]) -> [UInt8] {
        Array(fields.map { "\($0.name)\t\($0.value)" }.joined(separator: "\n").utf8)
    }

    private static func fuzzHeaders() throws {
        let method = TestService.echo
        var fuzzer = try Fuzzer(
            "grpc-headers",
            seeds: [
                lines(
                    RequestHead.fields(
                        of: method, authority: "h", contentType: "application/grpc", timeout: .seconds(9))),
                lines(RequestHead.fields(of: method, authority: "h", contentType: "application/grpc+x", timeout: nil)),
                lines(ResponseHead.begin(contentType: "application/grpc")),
                lines(ResponseHead.trailers(RPCError(.dataLoss, "100 % of läyer 7"))),
                lines(ResponseHead.trailers(nil)),
                lines(ResponseHead.plain(status: 415, text: "no")),
                Array("grpc-timeout\t99999999H\ngrpc-encoding\tgzip\ngrpc-status\t16\ngrpc-message\t%41%zz%".utf8),
            ])
        try fuzzer.run { input in
            let fields = fields(input)
            let request: String
            switch Result(catching: { () throws(RequestHead.Refusal) in try RequestHead(fields) }) {
            case .success(let head):
                if let timeout = head.timeout, timeout < .zero { throw Broken(what: "a timeout of \(timeout)") }
                guard head.method.path == fields.first(":path") else { throw Broken(what: "method \(head.method)") }
                request = "call \(head.timeout != nil) \(head.encoding != nil)"
            case .failure(.http(let status, _)): request = "HTTP \(status)"
            case .failure(.status(let status)): request = "\(status.code) \(status.message.prefix(14))"
            }
            let begin = ResponseHead.problem(fields, peer: "p").map { "\($0.code)" } ?? "begins"
            let end = ResponseHead.status(fields, peer: "p").map { "\($0.code)" } ?? "fine"
            return "\(request), \(begin), \(end)"
        }
    }

    @Test func `any bytes are messages or a status, however they are cut`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "grpc-messages"))") {
            try FramingFuzzTests.fuzzMessages()
        }
    }

    @Test func `any header fields are a call, an answer or a refusal`() async {
        await #expect(processExitsWith: .success, "the input: \(Fuzzer.inputPath(of: "grpc-headers"))") {
            try FramingFuzzTests.fuzzHeaders()
        }
    }
}
