import CProtobufC
import CWire
import Glibc

/// The memory of a message while it is encoded: protobuf-c's structs point to each other and into the arrays here.
///
/// Everything lives until the arena is gone, so pointers into it are valid as long as the arena is held.
@safe final class WireArena {
    /// Sound: private; each was made by `allocate` and is freed once, by `deinit`.
    private var blocks: [UnsafeMutableRawPointer] = unsafe []

    deinit {
        while let block = unsafe blocks.popLast() { unsafe free(block) }
    }

    /// Encodes the message that `build` makes in a fresh arena.
    static func encode<Message>(_ build: (WireArena) -> UnsafeMutablePointer<Message>) -> [UInt8] {
        let arena = WireArena()
        // Sound: every generated struct begins with its ProtobufCMessage, and the arena outlives both calls.
        return withExtendedLifetime(arena) {
            let message = unsafe UnsafeRawPointer(build(arena)).assumingMemoryBound(to: ProtobufCMessage.self)
            let byteCount = unsafe protobuf_c_message_get_packed_size(message)
            return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
                guard let bytes = buffer.baseAddress, byteCount > 0 else { return }
                count = unsafe protobuf_c_message_pack(message, bytes)
            }
        }
    }

    /// A message with defaults; `initialise` is its generated init function.
    func make<Message>(_ initialise: (UnsafeMutablePointer<Message>?) -> Void) -> UnsafeMutablePointer<Message> {
        let message = unsafe allocate(Message.self, count: 1)
        unsafe initialise(message)
        return unsafe message
    }

    /// A copy of the elements; the address of nothing for none.
    func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
        guard !elements.isEmpty else { return nil }
        let copy = unsafe allocate(Element.self, count: elements.count)
        for (index, element) in elements.enumerated() { unsafe copy[index] = element }
        return unsafe copy
    }

    /// The elements' messages, as repeated fields want them.
    func messages<Element, Message>(
        _ elements: [Element], _ make: (Element) -> UnsafeMutablePointer<Message>
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?>? {
        guard !elements.isEmpty else { return nil }
        let pointers = unsafe allocate(UnsafeMutablePointer<Message>?.self, count: elements.count)
        for (index, element) in elements.enumerated() { unsafe pointers[index] = unsafe make(element) }
        return unsafe pointers
    }

    /// A string as C has it: a zero byte inside, which it cannot hold, becomes U+FFFD.
    func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        let clean =
            text.utf8.contains(0)
            ? text.split(separator: "\0", omittingEmptySubsequences: false)
                .joined(separator: "\u{FFFD}") : text
        let bytes = Array(clean.utf8)
        let copy = unsafe allocate(CChar.self, count: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
        unsafe copy[bytes.count] = 0
        return unsafe copy
    }

    /// A text for people, cut to what a reader accepts.
    func text(_ text: String, limit: Int = WireLimits.textByteCount) -> UnsafeMutablePointer<CChar> {
        guard text.utf8.count > limit else { return unsafe string(text) }
        // Room for U+FFFD, which a cut character may become.
        return unsafe string(String(decoding: text.utf8.prefix(limit - 3), as: UTF8.self))
    }

    private func allocate<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        guard let block = unsafe calloc(count, MemoryLayout<Element>.stride) else {
            preconditionFailure("no memory for a message")
        }
        unsafe blocks.append(block)
        // Sound: fresh, zeroed and large enough; all element types here are C structs, pointers and numbers.
        return unsafe block.bindMemory(to: Element.self, capacity: count)
    }
}
