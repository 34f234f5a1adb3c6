import CProtobufC
import CWire

/// Reading what protobuf-c unpacked: every value is checked before it becomes one of ours.
enum WireReader {
    /// Unpacks bytes with the generated `unpack` function and hands the message to `read`; frees it in every case.
    static func unpack<Message, Value>(
        _ bytes: [UInt8], _ name: String, limit: Int = WireLimits.messageByteCount,
        _ unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?)
            -> UnsafeMutablePointer<Message>?,
        _ read: (UnsafeMutablePointer<Message>) throws(WireError) -> Value
    ) throws(WireError) -> Value {
        guard bytes.count <= limit else {
            throw WireError(name, "has \(bytes.count) bytes, at most \(limit) are allowed")
        }
        // Structs are larger than their messages, but not without bounds.
        var budget = cwire_allocation_budget(
            remaining_byte_count: (1 << 20) + bytes.count * 32, is_exhausted: 0)
        let result: Result<Value, WireError> = unsafe withUnsafeMutablePointer(to: &budget) { budget in
            var allocator = unsafe cwire_allocator(budget)
            let message = unsafe bytes.withUnsafeBufferPointer { buffer in
                unsafe unpack(&allocator, buffer.count, buffer.baseAddress)
            }
            guard let message = unsafe message else {
                let isExhausted = unsafe budget.pointee.is_exhausted != 0
                let problem = isExhausted ? "unpacks to too much memory" : "is not such a message"
                return .failure(WireError(name, "\(problem) (\(bytes.count) bytes)"))
            }
            // Sound: every generated struct begins with its ProtobufCMessage; freed once, after the last use.
            defer {
                unsafe protobuf_c_message_free_unpacked(
                    UnsafeMutableRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self), &allocator)
            }
            do throws(WireError) {
                return .success(try unsafe read(message))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The message of a field that must be there.
    static func required<Message>(
        _ message: UnsafeMutablePointer<Message>?, _ field: String
    ) throws(WireError) -> UnsafeMutablePointer<Message> {
        guard let message = unsafe message else { throw WireError(field, "is missing") }
        return unsafe message
    }

    /// A number within a range.
    static func int<Number: BinaryInteger>(
        _ value: Number, _ range: ClosedRange<Int>, _ field: String
    ) throws(WireError) -> Int {
        guard let int = Int(exactly: value), range.contains(int) else {
            throw WireError(field, "is \(value), allowed are \(range.lowerBound) to \(range.upperBound)")
        }
        return int
    }

    /// A count of anything: 0 to 2^53.
    static func count<Number: BinaryInteger>(_ value: Number, _ field: String) throws(WireError) -> Int {
        try int(value, 0...(1 << 53), field)
    }

    static func count(
        _ value: UnsafeMutablePointer<Phalanx__V1__Count>?, _ range: ClosedRange<Int>, _ field: String
    ) throws(WireError) -> Int? {
        guard let value = unsafe value else { return nil }
        return try int(unsafe value.pointee.value, range, field)
    }

    /// A number that is neither infinite nor NaN.
    static func finite<Number: FloatingPoint>(_ value: Number, _ field: String) throws(WireError) -> Number {
        guard value.isFinite else { throw WireError(field, "is \(value), a finite number is needed") }
        return value
    }

    static func string(
        _ text: UnsafeMutablePointer<CChar>?, _ field: String, limit: Int = WireLimits.nameByteCount
    ) throws(WireError) -> String {
        guard let text = unsafe text else { return "" }
        // Sound: protobuf-c ends every string with a zero byte.
        let bytes = unsafe UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
        var byteCount = 0
        while unsafe bytes[byteCount] != 0 {
            byteCount += 1
            guard byteCount <= limit else { throw WireError(field, "is longer than \(limit) bytes") }
        }
        let buffer = unsafe UnsafeBufferPointer(start: bytes, count: byteCount)
        guard let string = unsafe String(validating: buffer, as: UTF8.self) else {
            throw WireError(field, "is not valid UTF-8")
        }
        return string
    }

    static func text(
        _ text: UnsafeMutablePointer<Phalanx__V1__Text>?, _ field: String, limit: Int = WireLimits.textByteCount
    ) throws(WireError) -> String? {
        guard let text = unsafe text else { return nil }
        return try unsafe string(text.pointee.value, field, limit: limit)
    }

    /// A repeated number.
    static func array<Element: BitwiseCopyable>(
        _ elements: UnsafeMutablePointer<Element>?, _ count: Int, limit: Int, _ field: String
    ) throws(WireError) -> [Element] {
        guard count <= limit else { throw WireError(field, "has \(count) entries, at most \(limit) are allowed") }
        guard count > 0, let elements = unsafe elements else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: elements, count: count))
    }

    /// A repeated message.
    static func messages<Message, Value>(
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int, limit: Int, _ field: String,
        _ read: (UnsafeMutablePointer<Message>) throws(WireError) -> Value
    ) throws(WireError) -> [Value] {
        guard count <= limit else { throw WireError(field, "has \(count) entries, at most \(limit) are allowed") }
        guard count > 0, let messages = unsafe messages else { return [] }
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            values.append(try unsafe read(required(messages[index], field)))
        }
        return values
    }
}
