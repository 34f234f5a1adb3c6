import Foundation
import Host

/// The tensors of a GGUF model, which may be split over several files ("-00001-of-00003").
struct GGUFTensors: Sendable {
    /// The files, in the order of their numbers; the first one has the metadata.
    let files: [GGUFFile]
    private let places: [String: Int]

    var isEmpty: Bool { places.isEmpty }

    /// The tensor of a name and the file that it lies in; nil when there is none.
    subscript(name: String) -> (tensor: GGUFTensor, file: MappedFile)? {
        guard let place = places[name], let tensor = files[place].tensors[name] else { return nil }
        return (tensor, files[place].file)
    }

    /// The file that was named, and the others when it is part of a split model.
    ///
    /// - Throws: `CheckpointError` when a part is missing or does not belong to the others.
    init(_ named: GGUFFile) throws(CheckpointError) {
        let path = named.path
        guard let count = try named.integer("split.count"), count > 1 else {
            try self.init(files: [named])
            return
        }
        guard count <= 10_000, let number = try named.integer("split.no"), (0..<count).contains(number) else {
            throw .malformed(path, "'split.no' and 'split.count' do not name a part of a split model; fetch it again")
        }
        let suffix = Self.suffix(number, of: count)
        guard path.hasSuffix(suffix) else {
            throw .inconsistent(
                path, "is part \(number + 1) of \(count) of a split model; give it back its name, ending in '\(suffix)'"
            )
        }
        let stem = path.dropLast(suffix.count)
        var files: [GGUFFile] = []
        for part in 0..<count {
            let file = part == number ? named : try GGUFFile(path: stem + Self.suffix(part, of: count))
            guard try file.integer("split.count") == count, try file.integer("split.no") == part else {
                throw .inconsistent(file.file.path, "is not part \(part + 1) of \(count) of this model; fetch it again")
            }
            files.append(file)
        }
        try self.init(files: files)
        if let total = try files[0].integer("split.tensors.count"), total != places.count {
            throw .inconsistent(path, "the parts hold \(places.count) tensors instead of \(total); fetch them again")
        }
    }

    private init(files: [GGUFFile]) throws(CheckpointError) {
        var places: [String: Int] = [:]
        for (place, file) in files.enumerated() {
            for name in file.tensorNames where places.updateValue(place, forKey: name) != nil {
                throw .malformed(file.file.path, "tensor \(quoted(name)) is in another part of the model, too")
            }
        }
        self.files = files
        self.places = places
    }

    /// The numbers of a small F32 vector; nil when there is no tensor of that name.
    ///
    /// - Throws: `CheckpointError` when it is no such vector.
    func floats(_ name: String, limit: Int) throws(CheckpointError) -> [Float]? {
        guard let (tensor, file) = self[name] else { return nil }
        guard tensor.type == .f32, tensor.rows == 1, tensor.columns <= limit else {
            throw .malformed(
                file.path,
                "tensor \(quoted(name)) must be a vector of at most \(limit) F32 numbers, not "
                    + "\(tensor.dimensions) of \(tensor.type.name)")
        }
        var reader = try ByteReader(file, at: tensor.range.lowerBound)
        var result: [Float] = []
        for _ in 0..<tensor.columns { result.append(Float(bitPattern: try reader.integer(UInt32.self, name))) }
        return result
    }

    private static func suffix(_ number: Int, of count: Int) -> String {
        func digits(_ value: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "-\(digits(number + 1))-of-\(digits(count)).gguf"
    }
}
