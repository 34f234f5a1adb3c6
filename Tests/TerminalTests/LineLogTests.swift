import Foundation
import Logging
import Synchronization
import Terminal
import Testing

struct LineLogTests {
    /// What a logger writes, piece by piece.
    private final class Written: Sendable {
        private let pieces = Mutex<[Data]>([])

        func add(_ piece: Data) { pieces.withLock { $0.append(piece) } }

        var texts: [String] { pieces.withLock { $0 }.map { String(decoding: $0, as: UTF8.self) } }
    }

    private static func lines(_ format: LogFormat, _ log: (Logger) -> Void) -> [String] {
        let written = Written()
        var logger = Logger(label: "phalanx.test") { LineLogHandler(label: $0, format: format, write: written.add) }
        logger.logLevel = .debug
        log(logger)
        return written.texts
    }

    private static let nasty = "a\nb\r\u{1B}[2J\u{0}\u{7F}\u{85}\u{2028}\u{202E}\"\\é漢\u{FFFD}"

    @Test func `a JSON line is one object with everything in it`() throws {
        let lines = Self.lines(.json) { logger in
            var logger = logger
            logger[metadataKey: "node"] = "w1"
            logger.warning(
                "went wrong", metadata: ["count": "\(3)", "list": ["a", ["deep": "x"]], "node": "w2"])
        }
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line.hasSuffix("}\n") && line.filter(\.isNewline).count == 1)
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["level"] as? String == "warning")
        #expect(object["component"] as? String == "phalanx.test")
        #expect(object["message"] as? String == "went wrong")
        let metadata = try #require(object["metadata"] as? [String: Any])
        #expect(metadata["node"] as? String == "w2" && metadata["count"] as? String == "3")
        #expect((metadata["list"] as? [Any])?.count == 2)
        let time = try #require(object["time"] as? String)
        #expect(time.count == "2026-01-01T00:00:00.000Z".count)
        #expect(throws: Never.self) {
            try Date(time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        }
    }

    @Test func `what others said cannot break a JSON line, and comes out as it was`() throws {
        let lines = Self.lines(.json) { $0.error("\(Self.nasty)", metadata: ["\(Self.nasty)": "\(Self.nasty)"]) }
        let line = try #require(lines.first)
        #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        #expect(!line.contains("\u{2028}") && !line.contains("\u{202E}"))
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["message"] as? String == Self.nasty)
        #expect((object["metadata"] as? [String: String]) == [Self.nasty: Self.nasty])
    }

    @Test func `what others said cannot make a second line of text, nor steer a terminal`() throws {
        let lines = Self.lines(.text) { $0.info("\(Self.nasty)", metadata: ["b": "\(Self.nasty)", "a": "1"]) }
        let line = try #require(lines.first)
        #expect(lines.count == 1)
        #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        #expect(line.contains(#" info phalanx.test: a=1 b=a\nb\r\u001b[2J\u0000\u007f\u0085\u2028\u202e"\\é漢"#))
    }
}
