import Foundation
import HTTPTypes
import Testing

@testable import Gateway

struct RouteTests {
    @Test func `paths lead to their routes, with names in them`() throws {
        for route in Route.allCases {
            let match = try #require(Route.match(route.path.replacingOccurrences(of: "{id}", with: "a%2Fb/c")))
            #expect(match.route(route.method) == route)
            #expect(match.id == (route.path.hasSuffix("{id}") ? "a/b/c" : ""))
        }
    }

    @Test func `one slash at the end makes no difference`() {
        #expect(Route.match("/v1/models/")?.routes == [.models])
        #expect(Route.match("/v1/models//")?.routes == nil)
        #expect(Route.match("/v1/responses/x/")?.id == "x")
    }

    @Test func `other paths and broken escapes lead nowhere`() {
        for path in ["", "/v1", "/v1/models/%", "/v1/responses/%ff", "/API/chat", "/v1/chat/completions/x"] {
            #expect(Route.match(path) == nil, "\(path)")
        }
    }

    @Test func `a path knows its methods`() {
        #expect(Route.match("/v1/responses/x")?.allowed == "GET, HEAD, DELETE")
        #expect(Route.match("/v1/responses/x")?.route(.head) == .response)
        #expect(Route.match("/api/chat")?.route(.get) == nil)
    }

    @Test func `an unknown path has an API all the same`() {
        #expect(APIFace(path: "/api/pull") == .ollama)
        #expect(APIFace(path: "/v1/messages/batches") == .anthropic)
        #expect(APIFace(path: "/v1/embeddings") == .openAI)
    }
}
