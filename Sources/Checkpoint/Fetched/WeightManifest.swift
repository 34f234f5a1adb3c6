import Foundation
import Host

/// What a checkpoint consists of: its files, and the SHA-256 of every piece of them that a worker may need.
///
/// One node with the checkpoint makes it; another fetches the pieces of its layers, from anybody, and knows by their hashes
/// that they are right. Pieces do not overlap, and none reaches over the end of a tensor.
public struct WeightManifest: Codable, Sendable, Hashable {
    /// A file of the checkpoint.
    public struct File: Codable, Sendable, Hashable {
        /// Its name, without any folder.
        public let name: String
        public let byteCount: Int
    }

    /// Bytes of a file that are fetched and checked as a whole.
    public struct Piece: Codable, Sendable, Hashable {
        /// Index of the file.
        public let file: Int
        public let offset: Int
        public let byteCount: Int
        /// SHA-256, in 64 hexadecimal digits.
        public let hash: String
        /// Whether the checkpoint cannot be opened without it: headers, configuration, tokenizer, RoPE factors.
        public let isDescription: Bool

        public var range: Range<Int> { offset..<offset + byteCount }
    }

    public let version: Int
    /// Of the checkpoint.
    public let fingerprint: String
    public let format: Checkpoint.Format
    /// For a GGUF model in the order of its parts.
    public let files: [File]
    /// By ascending file and offset.
    public let pieces: [Piece]

    /// Bytes of all pieces.
    public var byteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }

    static let currentVersion = 1
    /// Most bytes of a piece.
    static let pieceByteLimit = 8 << 20
    /// Bounds on what a peer may make this process believe.
    static let pieceLimit = 1 << 18
    static let fileLimit = 1000
    static let fileByteLimit = 1 << 46

    init(fingerprint: String, format: Checkpoint.Format, files: [File], pieces: [Piece]) {
        version = Self.currentVersion
        self.fingerprint = fingerprint
        self.format = format
        self.files = files
        self.pieces = pieces
    }

    /// Reads what another node sent.
    ///
    /// - Throws: `CheckpointError` for anything that is not the manifest of the checkpoint of this fingerprint.
    public init(encoded: [UInt8], fingerprint: String) throws(CheckpointError) {
        do {
            self = try JSONDecoder().decode(WeightManifest.self, from: Data(encoded))
        } catch {
            throw Self.unfit("is not one (\(brief(error)))")
        }
        guard version == Self.currentVersion else {
            throw Self.unfit(
                "has version \(version), this worker reads \(Self.currentVersion); update the older program")
        }
        guard self.fingerprint == fingerprint else {
            throw Self.unfit("is that of \(self.fingerprint.prefix(16)), asked for was \(fingerprint.prefix(16))")
        }
        try checkFiles()
        try checkPieces()
    }

    /// The same value has the same bytes.
    public func encoded() throws(CheckpointError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(self))
        } catch {
            throw Self.unfit("cannot be written: \(error)")
        }
    }

    private func checkFiles() throws(CheckpointError) {
        guard !files.isEmpty, files.count <= Self.fileLimit else { throw Self.unfit("lists \(files.count) files") }
        for file in files {
            guard Self.isPlain(file.name) else {
                throw Self.unfit("lists the file \(quoted(String(file.name.prefix(80)))), which is no plain name")
            }
            guard (0...Self.fileByteLimit).contains(file.byteCount) else {
                throw Self.unfit("lists a file of \(file.byteCount) bytes")
            }
        }
        guard Set(files.map(\.name)).count == files.count else { throw Self.unfit("lists a file twice") }
    }

    /// Whether a file of that name lies in the folder that it is put into.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255 && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
    }

    private func checkPieces() throws(CheckpointError) {
        guard pieces.count <= Self.pieceLimit else { throw Self.unfit("lists \(pieces.count) pieces") }
        var (file, end) = (0, 0)
        for piece in pieces {
            guard files.indices.contains(piece.file), piece.file >= file else {
                throw Self.unfit("has pieces of unknown files, or not in order")
            }
            if piece.file > file { (file, end) = (piece.file, 0) }
            // Sizes are bounded first, so the sum does not overflow.
            guard (1...Self.pieceByteLimit).contains(piece.byteCount),
                (end...Self.fileByteLimit).contains(piece.offset),
                piece.offset + piece.byteCount <= files[file].byteCount
            else { throw Self.unfit("has a piece of \(piece.byteCount) bytes at \(piece.offset) that cannot be there") }
            end = piece.offset + piece.byteCount
            guard piece.hash.utf8.count == 64, piece.hash.utf8.allSatisfy({ Self.digits.contains($0) }) else {
                throw Self.unfit("has a piece without a SHA-256")
            }
        }
    }

    private static let digits = Set("0123456789abcdef".utf8)

    private static func unfit(_ problem: String) -> CheckpointError {
        .malformed("the manifest of the weights", problem)
    }

    /// The pieces that make up the bytes at `range` of a file, exactly; nil when they are not all here.
    func pieces(file: Int, range: Range<Int>) -> Range<Int>? {
        let first = firstPiece(endingAfter: range.lowerBound, of: file)
        var (index, offset) = (first, range.lowerBound)
        while offset < range.upperBound {
            guard index < pieces.count, pieces[index].file == file, pieces[index].offset == offset else { return nil }
            offset += pieces[index].byteCount
            index += 1
        }
        return offset == range.upperBound ? first..<index : nil
    }

    /// The first piece that ends after a place in a file.
    func firstPiece(endingAfter offset: Int, of file: Int) -> Int {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            let isBefore = (pieces[middle].file, pieces[middle].range.upperBound) <= (file, offset)
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
