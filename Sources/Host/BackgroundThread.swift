import CHost
import Foundation

/// A thread for work that can wait: it gives way to all others, on processors and disks.
public enum BackgroundThread {
    /// Starts the thread; it ends with `body`.
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            chost_lower_priority()
            body()
        }
        thread.name = name
        thread.start()
    }
}
