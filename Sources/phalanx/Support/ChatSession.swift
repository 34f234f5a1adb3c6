import Foundation
import Inference
import Synchronization
import Terminal
import UnixSignals

/// A talk on the command line: reads what is typed, does what commands say, shows answers as they come.
struct ChatSession {
    private let client: GatewayClient
    private let model: String
    private var transcript: ChatTranscript
    private var lines = ChatLines()
    /// Ctrl-C in a row at an empty prompt, or one that stopped an answer.
    private var interruptCount = 0

    init(client: GatewayClient, model: String, transcript: ChatTranscript) {
        self.client = client
        self.model = model
        self.transcript = transcript
    }

    /// Asks once and prints the answer.
    mutating func ask(_ text: String) async throws {
        transcript.messages.append(ChatMessage(role: .user, content: text))
        try await answer(nil)
    }

    /// Talks until the input ends or somebody leaves.
    mutating func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let terminal = RawTerminal(environment: environment) else { return try await runPlain() }
        let editor = LineEditor(
            terminal: terminal, history: LineHistory(path: LineHistory.usualPath(environment: environment)))
        note("Talking with \(model). /help lists the commands, Ctrl-D leaves.")
        let watch = Task {
            for await signal in await UnixSignalsSequence(trapping: .sigterm, .sighup) {
                terminal.leave()
                exit(128 + signal.rawValue)
            }
        }
        terminal.enter()
        defer {
            watch.cancel()
            terminal.leave()
        }
        while true {
            switch await Self.read(editor, prompt: lines.isOpen ? "... " : ">>> ") {
            case .ended: return
            case .interrupted(let hadText):
                interruptCount = hadText || lines.isOpen ? 0 : interruptCount + 1
                lines.reset()
                if interruptCount > 1 { return }
                if interruptCount == 1 { note("Ctrl-C again or Ctrl-D leaves.") }
            case .line(let line):
                interruptCount = 0
                guard let input = lines.take(line) else { continue }
                guard try await act(on: ChatInput(input), editor) else { return }
            }
        }
    }

    /// The same without a terminal: a failure ends it.
    private mutating func runPlain() async throws {
        while let line = await Self.onThread({ readLine(strippingNewline: true) }) {
            guard let input = lines.take(line) else { continue }
            guard try await act(on: ChatInput(input), nil) else { return }
        }
        if let input = lines.flush() { _ = try await act(on: ChatInput(input), nil) }
    }

    /// Does what was typed; false when that is leaving.
    private mutating func act(on input: ChatInput, _ editor: LineEditor?) async throws -> Bool {
        do {
            switch input {
            case .message(let text):
                guard !text.isEmpty else { return true }
                transcript.messages.append(ChatMessage(role: .user, content: text))
                try await answer(editor)
            case .again:
                guard transcript.takeAnswerBack() else {
                    note("Nothing was asked yet.")
                    return true
                }
                try await answer(editor)
            case .help: note(ChatInput.commands)
            case .clear:
                transcript.messages = []
                note("The talk is forgotten.")
            case .show: show()
            case .system(let text):
                transcript.system = text
                note(text == nil ? "There is no system prompt." : "The system prompt is set.")
            case .set(let name, let value):
                try transcript.settings.set(name, to: value)
                note("Settings: \(transcript.settings.text)")
            case .save(let path):
                try transcript.save(to: path)
                note("The talk is in \(path).")
            case .load(let path):
                transcript = try ChatTranscript.load(from: path)
                note("The talk in \(path) goes on; it has \(transcript.messages.count) messages.")
            case .mistake(let text): throw CommandError(text)
            case .leave: return false
            }
        } catch  where editor != nil {
            note("error: \(PrintableText.of("\(error)"))")
        }
        return true
    }

    private func show() {
        note("Model: \(model)")
        note("System prompt: \(transcript.system.map(PrintableText.of) ?? "none")")
        note("Settings: \(transcript.settings.text)")
        note("Talk: \(transcript.messages.count) messages")
    }

    /// Asks for an answer to the talk and shows it. At a terminal Ctrl-C stops it; what came so far stays in the talk.
    private mutating func answer(_ editor: LineEditor?) async throws {
        let session = self
        let answering = Task { await session.receive() }
        let isDone = Mutex(false)
        if let editor {
            async let watching: Void = Self.onThread {
                if editor.waitForInterrupt(isDone: { isDone.withLock { $0 } }) { answering.cancel() }
            }
            _ = await answering.value
            isDone.withLock { $0 = true }
            await watching
        }
        let answer = await answering.value
        if !answer.text.isEmpty { transcript.messages.append(ChatMessage(role: .assistant, content: answer.text)) }
        try Output.line("")
        if answering.isCancelled {
            interruptCount = 1
            note("(stopped)")
        } else if let failure = answer.failure {
            throw failure
        }
    }

    /// An answer as far as it came.
    private struct Answer: Sendable {
        var text = ""
        /// Why it did not come to its end.
        var failure: (any Error)?
    }

    /// Prints the answer to the talk as it comes.
    private func receive() async -> Answer {
        let isTerminal = isatty(1) == 1
        var answer = Answer()
        do {
            try await client.chat(transcript.prompt, model: model, settings: transcript.settings) { piece in
                answer.text += piece
                try Output.write(isTerminal ? PrintableText.of(piece) : piece)
            }
        } catch {
            answer.failure = error
        }
        return answer
    }

    private static func read(_ editor: LineEditor, prompt: String) async -> LineEditor.Outcome {
        await onThread {
            editor.read(prompt: prompt) { error in
                note("What is typed is not kept for the next talk: \(error.localizedDescription)")
            }
        }
    }

    /// Waits on a thread of its own: the cluster may run on the one that this task has.
    private static func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: body()) }.start()
        }
    }
}
