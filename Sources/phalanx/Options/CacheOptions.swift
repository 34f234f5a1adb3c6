import ArgumentParser
import Checkpoint
import Foundation
import Logging
import Terminal

/// Where packed weights are kept between starts.
struct CacheOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where packed weights are kept, so that the next start is quick (default: $XDG_CACHE_HOME/phalanx or "
                + "~/.cache/phalanx).",
            valueName: "dir"))
    var cacheDir: String?

    @Option(help: "The most that packed and fetched weights of all models may take there; the longest unused go first.")
    var cacheLimit = ByteCountArgument(byteCount: PackedCache.Settings.defaultByteLimit)

    @Flag(help: "Pack the weights anew at every start and write nothing.")
    var noCache = false

    mutating func validate() throws {
        if noCache, cacheDir != nil { throw ValidationError("Give either --cache-dir or --no-cache.") }
        if let cacheDir, cacheDir.isEmpty { throw ValidationError("--cache-dir must not be empty.") }
    }

    /// Where the cache is; nil without one.
    var settings: PackedCache.Settings? {
        guard !noCache, let directory = cacheDir ?? Self.defaultDirectory else { return nil }
        return PackedCache.Settings(directory: directory, byteLimit: cacheLimit.byteCount)
    }

    /// The cache of this process; what happens to it is logged.
    func cache(logger: Logger) -> PackedCache? {
        guard let settings else {
            if !noCache {
                logger.warning("Working without a cache: neither XDG_CACHE_HOME nor HOME is set; name a --cache-dir")
            }
            return nil
        }
        return PackedCache(settings) { event in
            switch event {
            case .replaced(let path, let reason):
                logger.warning("Packing a cached part anew", metadata: ["file": "\(path)", "reason": "\(reason)"])
            case .unavailable(let reason):
                logger.warning("Not keeping packed weights for the next start", metadata: ["reason": "\(reason)"])
            case .moved(let byteCount, let seconds):
                logger.info(
                    "Copied cached weights into huge pages",
                    metadata: ["size": "\(ByteCount.text(byteCount))", "milliseconds": "\(Int(seconds * 1000))"])
            case .leftInPlace(let reason):
                logger.warning("Computing with mapped weights, which is slower", metadata: ["reason": "\(reason)"])
            case .wrote(let partCount, let byteCount, let seconds):
                logger.info(
                    "Kept packed weights for the next start",
                    metadata: [
                        "parts": "\(partCount)", "size": "\(ByteCount.text(byteCount))",
                        "milliseconds": "\(Int(seconds * 1000))",
                    ])
            }
        }
    }

    /// The same choice as arguments of a worker process.
    var arguments: [String] {
        guard let settings else { return noCache ? ["--no-cache"] : [] }
        return ["--cache-dir", settings.directory, "--cache-limit", "\(settings.byteLimit)"]
    }

    /// By the XDG base directory specification, which has relative paths ignored.
    static var defaultDirectory: String? {
        let environment = ProcessInfo.processInfo.environment
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/phalanx" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return home + "/.cache/phalanx"
    }
}

/// Where a coordinator, which has no weights, remembers what it found out about the checkpoint.
struct CoordinatorCacheOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the model's fingerprint and hashes are remembered, so that the next start is quick (default: "
                + "$XDG_CACHE_HOME/phalanx or ~/.cache/phalanx).",
            valueName: "dir"))
    var cacheDir: String?

    @Flag(help: "Compute the fingerprint at every start and write nothing.")
    var noCache = false

    mutating func validate() throws {
        if noCache, cacheDir != nil { throw ValidationError("Give either --cache-dir or --no-cache.") }
    }

    var directory: String? { noCache ? nil : cacheDir ?? CacheOptions.defaultDirectory }
}
