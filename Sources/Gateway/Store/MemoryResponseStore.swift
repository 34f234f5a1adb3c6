import Foundation

/// A store in this process: its records are gone with it, and other gateways do not see them.
actor MemoryResponseStore: ResponseStore {
    private var shelf: ResponseShelf

    init(limits: ResponseLimits) { shelf = ResponseShelf(limits: limits) }

    func put(_ record: [UInt8], id: String) { shelf.put(record, id: id, nowSeconds: Self.now) }

    func record(_ id: String) -> [UInt8]? { shelf.record(id, nowSeconds: Self.now) }

    func delete(_ id: String) -> Bool { shelf.delete(id) }

    private static var now: Int { Int(Date().timeIntervalSince1970) }
}
