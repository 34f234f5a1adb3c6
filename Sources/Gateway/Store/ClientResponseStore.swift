/// What one client has in a store: nobody reaches the answers of others.
struct ClientResponseStore: ResponseStore {
    private let store: any ResponseStore
    private let prefix: String

    init(_ store: any ResponseStore, of client: ClientIdentity) {
        self.store = store
        // Names of keys have no slash.
        prefix = client.name.map { "\($0)/" } ?? ""
    }

    func put(_ record: [UInt8], id: String) async throws { try await store.put(record, id: prefix + id) }

    func record(_ id: String) async throws -> [UInt8]? { try await store.record(prefix + id) }

    func delete(_ id: String) async throws -> Bool { try await store.delete(prefix + id) }
}
