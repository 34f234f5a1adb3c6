import Foundation

/// The standard output. A reader that went away or a full disk is an error like any other, never a crash.
enum Output {
    static func write(_ text: String) throws { try write(Data(text.utf8)) }

    static func line(_ text: String) throws { try write(text + "\n") }

    static func write(_ data: Data) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: data)
        } catch {
            throw CommandError("cannot write to the standard output: \(error.localizedDescription)")
        }
    }
}
