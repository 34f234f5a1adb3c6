import Glibc

/// Folders of the file system.
public enum Folder {
    /// Makes the folder at `path`, and those above it, where they do not exist.
    ///
    /// - Throws: `HostError` when one cannot be made, or a name on the way is that of a file.
    public static func make(_ path: String) throws(HostError) {
        let status = unsafe mkdir(path, 0o755)
        if status == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw HostError.change(of: path, action: "make the folder", errno: errno)
        }
        try make(String(path[..<slash]))
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw HostError.change(of: path, action: "make the folder", errno: errno)
        }
    }

    /// Removes a file; false when that is not possible.
    public static func removeFile(_ path: String) -> Bool { unsafe unlink(path) == 0 }

    /// Removes a folder if nothing is in it.
    public static func removeIfEmpty(_ path: String) { unsafe rmdir(path) }

    /// The names in a folder, without `.` and `..`; none when it cannot be read.
    public static func names(in path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        // The entry is valid until the next call; its name ends with a zero byte.
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
