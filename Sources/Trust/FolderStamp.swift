internal import Foundation

/// Tells states of a folder apart: it gets another stamp when files come, go or are replaced.
struct FolderStamp: Hashable, Sendable {
    private let inode: Int
    let change: Date

    /// - Returns: nil when there is no such folder.
    /// - Throws: `TrustError` (`directory`) when it cannot be looked into.
    init?(_ path: String) throws(TrustError) {
        let files = FileManager.default
        guard files.fileExists(atPath: path) else {
            // It may only seem so when the folder above is closed to this user.
            let above = URL(fileURLWithPath: path).deletingLastPathComponent().path
            guard !files.fileExists(atPath: above) || files.isExecutableFile(atPath: above) else {
                throw TrustError(.directory, "cannot look into \(above): it belongs to another user")
            }
            return nil
        }
        guard files.isReadableFile(atPath: path), files.isExecutableFile(atPath: path),
            let attributes = try? files.attributesOfItem(atPath: path),
            let inode = attributes[.systemFileNumber] as? Int, let change = attributes[.modificationDate] as? Date
        else { throw TrustError(.directory, "cannot look into \(path): it belongs to another user, or is no folder") }
        self.inode = inode
        self.change = change
    }
}
