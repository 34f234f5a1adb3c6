import Foundation
import TestSupport
import Testing

@testable import Terminal

@Suite struct ChatTests {
    @Test func `messages and commands are told apart`() {
        #expect(ChatInput(" Hello / there ") == .message("Hello / there"))
        #expect(ChatInput("//etc is a folder") == .message("/etc is a folder"))
        #expect(ChatInput("/help") == .help)
        #expect(ChatInput("/system  Be brief. ") == .system("Be brief."))
        #expect(ChatInput("/system") == .system(nil))
        #expect(ChatInput("/set  temperature   0.5") == .set(name: "temperature", value: "0.5"))
        #expect(ChatInput("/save a b.json") == .save(path: "a b.json"))
        #expect(ChatInput("/bye") == .leave)
        for wrong in ["/", "/nothing", "/set", "/set seed", "/save", "/load "] {
            guard case .mistake = ChatInput(wrong) else {
                Issue.record("\(wrong) is \(ChatInput(wrong))")
                continue
            }
        }
    }

    @Test func `the help names every command`() {
        for name in ["help", "system", "set", "show", "again", "clear", "save", "load", "bye"] {
            #expect(ChatInput.commands.contains("/\(name)"))
            if case .mistake(let text) = ChatInput("/\(name)") { #expect(text.hasPrefix("/\(name) needs")) }
        }
    }

    @Test func `lines between quotes and lines with a backslash are one input`() {
        func inputs(_ lines: [String]) -> [String] {
            var joined = ChatLines()
            return lines.compactMap { joined.take($0) } + [joined.flush()].compactMap { $0 }
        }
        #expect(inputs(["a", "b"]) == ["a", "b"])
        #expect(inputs(["\"\"\"a", "", "b\"\"\"", "c"]) == ["a\n\nb", "c"])
        #expect(inputs(["\"\"\"", "a", "\"\"\""]) == ["a"])
        #expect(inputs(["\"\"\"a\"\"\""]) == ["a"])
        #expect(inputs(["a \\", "b\\", "c"]) == ["a \nb\nc"])
        #expect(inputs(["\"\"\"a", "b"]) == ["a\nb"])
    }

    @Test func `settings are read and refused with the cure`() throws {
        var settings = ChatSettings()
        try settings.set("temperature", to: "0.5")
        try settings.set("seed", to: "-7")
        #expect(settings.text == "temperature 0.5, seed -7")
        try settings.set("temperature", to: "default")
        #expect(settings.text == "seed -7")
        for (name, value) in [
            ("temperature", "3"), ("temperature", "nan"), ("temperature", "x"), ("top_p", "0"), ("max_tokens", "0"),
            ("max_tokens", "1.5"), ("seed", "99999999999999999999"), ("Temperature", "1"),
        ] {
            #expect(throws: ChatMistake.self, "\(name) \(value)") { try settings.set(name, to: value) }
        }
        #expect(settings.text == "seed -7")
    }

    @Test func `a talk that was saved goes on`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.url.appendingPathComponent("talk.json").path
        var talk = ChatTranscript(system: "Be brief.", settings: ChatSettings(topP: 0.9, maxTokens: 5))
        talk.messages = [
            ChatMessage(role: .user, content: "Hi"), ChatMessage(role: .assistant, content: "Hello \u{1B}"),
        ]
        try talk.save(to: path)
        #expect(try ChatTranscript.load(from: path) == talk)
        #expect(talk.prompt.map(\.role) == [.system, .user, .assistant])
        var hadAnswer = talk.takeAnswerBack()
        #expect(hadAnswer && talk.messages.count == 1)
        talk.messages = []
        hadAnswer = talk.takeAnswerBack()
        #expect(!hadAnswer)
    }

    @Test func `files that hold no talk are refused`() throws {
        let folder = try TemporaryDirectory()
        let path = folder.url.appendingPathComponent("talk.json").path
        for content in ["", "{}", "[1]", "{\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}],\"settings\":{}}"] {
            try Data(content.utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: ChatMistake.self, "\(content)") { try ChatTranscript.load(from: path) }
        }
        #expect(throws: ChatMistake.self) { try ChatTranscript.load(from: path + ".missing") }
        #expect(throws: ChatMistake.self) { try ChatTranscript.load(from: "/dev/zero") }
        #expect(throws: ChatMistake.self) {
            try ChatTranscript(system: nil, settings: ChatSettings()).save(to: folder.url.path + "/missing/talk.json")
        }
    }
}
