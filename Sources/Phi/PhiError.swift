/// What was wrong with a checkpoint, a plan or a step that this process was to compute.
public struct PhiError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failure that a caller may want to tell apart.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case model, memory, step, numbers }
        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The checkpoint's tensors or configuration do not make a Phi-3 model.
        public static let model = Code(.model)
        /// The plan asks for more than can be reserved.
        public static let memory = Code(.memory)
        /// The step contradicts the plan, the model or earlier steps.
        public static let step = Code(.step)
        /// The computation gave numbers that no right one gives.
        public static let numbers = Code(.numbers)

        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What was wrong, where, and what to do.
    public let message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
