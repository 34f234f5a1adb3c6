import CWire
public import Inference

/// The message between stages: length, protobuf header, padding, rows. `proto/phalanx/v1/stage.proto` has the layout.
extension Activation {
    /// The message's bytes. `rows` must hold the same count of numbers for each of the step's rows.
    public func wireBytes() -> [UInt8] {
        let rowCount = step.rowCount
        // A step that only retires sequences has no rows, and says nothing of their size.
        let hiddenSize = rowCount == 0 ? 0 : rows.count / (4 * rowCount)
        precondition(rows.count == rowCount * hiddenSize * 4, "rows and shape of an activation differ")
        let header = unsafe WireArena.encode { arena in
            let message = unsafe arena.make(phalanx__v1__activation_header__init)
            unsafe message.pointee.step = unsafe arena.step(step)
            unsafe message.pointee.row_count = UInt32(clamping: rowCount)
            unsafe message.pointee.hidden_size = UInt32(clamping: hiddenSize)
            unsafe message.pointee.element_type = PHALANX__V1__ELEMENT_TYPE__ELEMENT_TYPE_F32
            return unsafe message
        }
        return RawFrame.encode(header: header, payload: rows)
    }

    /// Reads what the previous stage sent. Throws `WireError`, for a wrong checksum one with `isChecksumError`.
    ///
    /// - Parameter hiddenSize: the model's; a message of another one is refused.
    public init(wireBytes bytes: [UInt8], hiddenSize: Int) throws(WireError) {
        let (header, rows) = try RawFrame.decode(bytes, "Activation", payloadLimit: WireLimits.rowsByteCount)
        let step = try Self.step(header, hiddenSize: hiddenSize)
        let (expected, overflow) = (step.rowCount * 4).multipliedReportingOverflow(by: hiddenSize)
        guard !overflow, rows.count == expected else {
            throw WireError(
                "Activation.rows", "have \(rows.count) bytes for \(step.rowCount) rows of \(hiddenSize) numbers")
        }
        self.init(step: step, rows: rows)
    }

    private static func step(_ header: [UInt8], hiddenSize: Int) throws(WireError) -> Step {
        try unsafe WireReader.unpack(header, "ActivationHeader", phalanx__v1__activation_header__unpack) {
            pointer throws(WireError) in
            let message = unsafe pointer.pointee
            let type = unsafe message.element_type
            guard type == PHALANX__V1__ELEMENT_TYPE__ELEMENT_TYPE_F32 else {
                throw WireError("ActivationHeader.element_type", "\(type.rawValue) is not known")
            }
            let width = try WireReader.int(
                unsafe message.hidden_size, 0...WireLimits.hiddenSize, "ActivationHeader.hidden_size")
            let step = try unsafe Step(wire: WireReader.required(message.step, "ActivationHeader.step"))
            let rowCount = try WireReader.int(
                unsafe message.row_count, 0...WireLimits.rowCount, "ActivationHeader.row_count")
            guard rowCount == step.rowCount else {
                throw WireError("ActivationHeader.row_count", "is \(rowCount), the slices have \(step.rowCount)")
            }
            guard rowCount == 0 || width == hiddenSize else {
                throw WireError("ActivationHeader.hidden_size", "is \(width), this model has \(hiddenSize)")
            }
            return step
        }
    }
}
