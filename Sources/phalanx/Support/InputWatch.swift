import Foundation

/// Ends the process when its standard input ends, that is when its parent is gone, however it went.
enum InputWatch {
    ///
    /// - Parameter farewell: what is still done before.
    static func exitAtEnd(_ farewell: @escaping @Sendable () -> Void) {
        let thread = Thread {
            while true {
                let data = FileHandle.standardInput.availableData
                guard data.isEmpty else { continue }
                farewell()
                exit(0)
            }
        }
        thread.name = "input watch"
        thread.start()
    }
}
