import Foundation

/// Ends the process when its standard input ends, that is when its parent is gone, however it went.
enum InputWatch {
    static func exitAtEnd() {
        let thread = Thread {
            while true {
                let data = FileHandle.standardInput.availableData
                if data.isEmpty { exit(0) }
            }
        }
        thread.name = "input watch"
        thread.start()
    }
}
