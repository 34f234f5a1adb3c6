import Foundation
import Inference
import TestSupport
import Testing

struct TraceContextTests {
    private static let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func `a header as the standard shows it is read and written again`() throws {
        let trace = try #require(TraceContext(traceparent: Self.good, tracestate: "rojo=00f067aa0ba902b7, congo=t61"))
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.spanID == "00f067aa0ba902b7")
        #expect(trace.isSampled)
        #expect(trace.state == "rojo=00f067aa0ba902b7, congo=t61")
        #expect(trace.traceparent == Self.good)
        #expect(trace.withoutState.state == "")
    }

    @Test func `a later version may say more, and only what is known goes on`() {
        let later = TraceContext(traceparent: "cc" + Self.good.dropFirst(2).dropLast() + "3-what-comes")
        #expect(later?.traceparent == Self.good)
        #expect(TraceContext(traceparent: "cc" + Self.good.dropFirst(2))?.traceparent == Self.good)
    }

    @Test func `anything else is no trace`() {
        let zeros = String(repeating: "0", count: 32)
        for bad in [
            "", "00", Self.good + "-x", Self.good + "x", "ff" + Self.good.dropFirst(2), Self.good.uppercased(),
            String(Self.good.dropLast()), " " + Self.good, Self.good.replacingOccurrences(of: "-", with: "_"),
            "00-\(zeros)-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-0", "\(Self.good), \(Self.good)",
            "cc" + Self.good.dropFirst(2) + "x",
            "cc" + Self.good.dropFirst(2) + "-" + zeros + String(repeating: "x", count: 500),
        ] {
            #expect(TraceContext(traceparent: bad) == nil, "\(bad)")
        }
    }

    @Test func `a state that is malformed or too long is dropped alone`() {
        for bad in [
            "novalue", "A=1", "a=1=2", "=1", "a=", "a=\n", "a=é", "a=" + String(repeating: "x", count: 511),
            (0..<33).map { "k\($0)=1" }.joined(separator: ","),
        ] {
            let trace = TraceContext(traceparent: Self.good, tracestate: bad)
            #expect(trace?.state == "", "\(bad)")
        }
        let full = (0..<32).map { "k\($0)=1" }.joined(separator: ",")
        #expect(TraceContext(traceparent: Self.good, tracestate: full)?.state == full)
    }

    @Test func `a child has a span of its own in the same trace`() throws {
        var random = SeededGenerator(seed: 7)
        let trace = try #require(TraceContext(traceparent: Self.good, tracestate: "a=1"))
        let child = trace.child(using: &random)
        #expect(child.traceID == trace.traceID && child.isSampled && child.state == "a=1")
        #expect(child.spanID != trace.spanID)
        #expect(TraceContext(traceparent: child.traceparent, tracestate: "a=1") == child)
    }
}
