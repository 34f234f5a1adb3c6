import HTTPTypes
import Testing

@testable import Gateway

struct ClientResponseStoreTests {
    @Test func `clients reach nothing that others have stored`() async throws {
        let store = MemoryResponseStore(limits: ResponseLimits())
        let engine = ToyEngine(key: "k")
        let alice = try await ClientIdentity([.apiKey: "k"], engine: engine)
        #expect(alice.name == "alice")
        let hers = ClientResponseStore(store, of: alice)
        let others = ClientResponseStore(store, of: .anybody)
        try await hers.put([1], id: "r")
        #expect(try await hers.record("r") == [1])
        #expect(try await others.record("r") == nil)
        #expect(try await !others.delete("r"))
        #expect(try await hers.delete("r"))
    }
}
