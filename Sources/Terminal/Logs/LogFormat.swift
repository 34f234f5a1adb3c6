/// How a log is written: as text for people, or as JSON for programs that collect logs.
public enum LogFormat: String, CaseIterable, Sendable {
    case text, json
}
