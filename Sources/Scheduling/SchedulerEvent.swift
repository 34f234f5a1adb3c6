public import Inference

/// The scheduler's own name of a request, unique where the gateways' names may not be.
public struct RequestTicket: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static func < (left: RequestTicket, right: RequestTicket) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "request \(rawValue)" }
}

/// What the shell forwards to a request's stream.
public enum SchedulerEvent: Hashable, Sendable {
    /// The stream ends after `.completed`.
    case event(RequestTicket, GenerationEvent)
    /// The stream ends with this error.
    case failed(RequestTicket, EngineError)

    public var ticket: RequestTicket {
        switch self {
        case .event(let ticket, _), .failed(let ticket, _): ticket
        }
    }

    /// Whether nothing comes for the request any more.
    public var isLast: Bool {
        switch self {
        case .event(_, .completed), .failed: true
        case .event: false
        }
    }
}

/// What became of a step's result.
public enum ResultDisposition: Hashable, Sendable {
    case applied
    /// Of another epoch, or seen before: ignored.
    case stale
    /// The pipeline broke its contract. Nothing was changed; the cure is a new plan, into which all is replayed.
    case fault(String)
}
