import CHost
import Foundation

/// A thread for work beside the computing.
public enum BackgroundThread {
    /// Starts the thread; it ends with `body`.
    ///
    /// - Parameter givesWay: to all others, on processors and disks: for work that can wait.
    public static func start(_ name: String, givesWay: Bool = true, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            if givesWay { chost_lower_priority() }
            body()
        }
        thread.name = name
        thread.start()
    }
}
