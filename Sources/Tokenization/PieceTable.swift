/// The texts of a vocabulary, id by id, in one block of bytes.
///
/// A quarter of a million separate arrays would cost more time and memory than everything else about a tokenizer.
public struct PieceTable: Sendable, Equatable {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [UInt32] = []

    init() {}

    /// How many pieces there are; ids are `0..<count`.
    public var count: Int { ends.count }

    /// The range of piece `id` in `bytes`.
    func range(_ id: Int) -> Range<Int> {
        (id == 0 ? 0 : Int(ends[id - 1]))..<Int(ends[id])
    }

    /// The bytes of piece `id`.
    public subscript(id: Int) -> ArraySlice<UInt8> { bytes[range(id)] }

    /// Appends a piece; throws when the table outgrows its limits.
    mutating func append(_ piece: some Collection<UInt8>) throws(TokenizerError) {
        guard piece.count <= TokenizerLimits.pieceByteCount else {
            throw TokenizerError(
                .limitExceeded,
                "token \(count) is \(piece.count) bytes long; at most \(TokenizerLimits.pieceByteCount) are accepted"
            )
        }
        try appendUnbounded(piece)
    }

    /// Appends a text that is no vocabulary entry (half of a merge, say), bounded in sum only.
    mutating func appendUnbounded(_ piece: some Collection<UInt8>) throws(TokenizerError) {
        guard bytes.count + piece.count <= TokenizerLimits.totalPieceByteCount else {
            throw TokenizerError(
                .limitExceeded, "the vocabulary holds more than \(TokenizerLimits.totalPieceByteCount) bytes of text")
        }
        bytes.append(contentsOf: piece)
        ends.append(UInt32(bytes.count))
    }
}
