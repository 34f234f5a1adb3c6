import HTTPTypes
import Inference

extension TraceContext {
    /// The span of a request in the trace that its headers name; nil when they name none.
    init?(headers: HTTPFields) {
        guard let parent = Self.parentName.flatMap({ headers[$0] }),
            let given = TraceContext(
                traceparent: parent, tracestate: Self.stateName.flatMap { headers[$0] } ?? "")
        else { return nil }
        var generator = SystemRandomNumberGenerator()
        self = given.child(using: &generator)
    }

    private static let parentName = HTTPField.Name("traceparent")
    private static let stateName = HTTPField.Name("tracestate")
}
