/// What a stage did with its latest seconds of service.
///
/// The rest of the window, neither busy nor a bubble, is time in which nothing was asked of the stage.
public struct StageActivity: Hashable, Sendable {
    /// The time that is looked at; 0 before the stage serves.
    public let windowMicroseconds: UInt64
    /// Time spent computing.
    public let busyMicroseconds: UInt64
    /// Time spent waiting for the next step of sequences that were running: their tokens were computed by other stages,
    /// or on their way.
    public let bubbleMicroseconds: UInt64

    public init(windowMicroseconds: UInt64, busyMicroseconds: UInt64, bubbleMicroseconds: UInt64) {
        self.windowMicroseconds = windowMicroseconds
        self.busyMicroseconds = busyMicroseconds
        self.bubbleMicroseconds = bubbleMicroseconds
    }

    /// Of a stage that does not serve.
    public static let none = StageActivity(windowMicroseconds: 0, busyMicroseconds: 0, bubbleMicroseconds: 0)

    /// The part of the window spent computing, 0 to 1.
    public var busyFraction: Double { fraction(busyMicroseconds) }

    /// The part of the window spent waiting while sequences were running, 0 to 1.
    public var bubbleFraction: Double { fraction(bubbleMicroseconds) }

    private func fraction(_ microseconds: UInt64) -> Double {
        windowMicroseconds > 0 ? min(1, Double(microseconds) / Double(windowMicroseconds)) : 0
    }
}

extension Step {
    /// Whether the step goes on with a sequence that the stages knew before.
    public var continuesSequences: Bool {
        slices.contains { slice in !admissions.contains { $0.sequence == slice.sequence } }
    }
}
