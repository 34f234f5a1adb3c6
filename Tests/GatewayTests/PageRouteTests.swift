import AsyncHTTPClient
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import Gateway

struct PageRouteTests {
    private func page(
        _ client: GatewayClient, _ path: String = "/", _ headers: [(String, String)] = [("accept", "text/html")],
        method: HTTPMethod = .GET
    ) async throws -> GatewayClient.Answer {
        var request = client.request(method, path)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        return try await client.send(request)
    }

    @Test func `browsers get the page and others do not`() async throws {
        try await withGateway { client in
            let answer = try await page(client, "/", [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")])
            #expect(answer.code == 200)
            #expect(answer.headers.first(name: "content-type") == "text/html; charset=utf-8")
            #expect(answer.headers.first(name: "vary") == "Accept")
            #expect(answer.text.hasPrefix("<!doctype html>"))
            let other = try await page(client, "/", [("accept", "application/json")])
            #expect(!other.text.contains("<html"))
            let head = try await page(client, method: .HEAD)
            #expect(head.code == 200 && head.bytes.isEmpty)
            #expect(try await page(client, method: .POST).code != 200)
            #expect(try await page(client, "/page/nothing.js").code == 404)
        }
    }

    @Test func `every file that the page and its scripts name is served with its type`() async throws {
        try await withGateway { client in
            var open = ["/"]
            var seen: Set<String> = []
            while let path = open.popLast() {
                guard seen.insert(path).inserted else { continue }
                let answer = try await page(client, path)
                #expect(answer.code == 200, "\(path)")
                let type = answer.headers.first(name: "content-type") ?? ""
                let expected = ["js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"]
                #expect(type.hasPrefix(expected[URL(filePath: path).pathExtension] ?? "text/html"), "\(path): \(type)")
                open += answer.text.matches(of: /(?:href|src)="(page\/[^"]+)"/).map { "/\($0.output.1)" }
                open += answer.text.matches(of: /from "\.\/([^"]+)"/).map { "/page/\($0.output.1)" }
            }
            // A file that nothing names would be dead weight.
            let folder = Repository.sources.appendingPathComponent("Gateway/Page")
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { name in
                !name.hasSuffix(".swift") && name != "index.html"
            }
            #expect(seen == Set(files.map { "/page/\($0)" }).union(["/"]))
        }
    }

    @Test func `every answer of the page forbids foreign content`() async throws {
        try await withGateway { client in
            for path in ["/", "/page/page.js", "/page/page.css", "/page/icon.svg"] {
                let headers = try await page(client, path).headers
                let policy = headers.first(name: "content-security-policy") ?? ""
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self';"), "\(path)")
                #expect(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains("*"))
                #expect(headers.first(name: "x-content-type-options") == "nosniff")
                #expect(headers.first(name: "x-frame-options") == "DENY")
            }
        }
    }

    @Test func `a browser that has a file is told so`() async throws {
        try await withGateway { client in
            let first = try await page(client, "/page/page.css")
            let tag = try #require(first.headers.first(name: "etag"))
            #expect(first.headers.first(name: "cache-control") == "no-cache")
            for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                let again = try await page(client, "/page/page.css", [("if-none-match", known)])
                #expect(again.code == 304 && again.bytes.isEmpty, "\(known)")
                #expect(again.headers.first(name: "etag") == tag)
            }
            #expect(try await page(client, "/page/page.css", [("if-none-match", "\"other\"")]).code == 200)
            #expect(try await page(client, "/page/page.js").headers.first(name: "etag") != tag)
        }
    }
}
