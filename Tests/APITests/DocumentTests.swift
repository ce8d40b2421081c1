import Foundation
import Testing

@testable import API

struct DocumentTests {
    private struct Document: Decodable {
        struct Operation: Decodable {
            struct Parameter: Decodable { let name: String }
            let operationId: String
            let parameters: [Parameter]?
        }

        let openapi: String
        let paths: [String: [String: Operation]]
    }

    private func document() async throws -> (Document, String) {
        var text = ""
        try await withServer(FakeAgent()) { client, _ in
            text = String(decoding: try await client.get("/openapi.json").body, as: UTF8.self)
        }
        return (try JSONDecoder().decode(Document.self, from: Data(text.utf8)), text)
    }

    @Test func `the document has every path and no other`() async throws {
        let (document, _) = try await document()

        #expect(document.openapi == "3.1.0")
        let read = document.paths.filter { Array($0.value.keys) == ["get"] }
        let changed = document.paths.filter { Array($0.value.keys) == ["post"] }
        #expect(Set(read.keys) == Set(Routes.paths + ["/"]))
        #expect(Set(changed.keys) == Set(Routes.postPaths))
        let ids = document.paths.values.flatMap { $0.values.map(\.operationId) }
        #expect(Set(ids).count == document.paths.count && ids.count == document.paths.count)
    }

    /// A route names what it takes when it is asked for something else.
    @Test func `the document has every parameter and no other`() async throws {
        let (document, _) = try await document()
        try await withServer(FakeAgent()) { client, _ in
            for (path, item) in document.paths where item["get"] != nil {
                let body = try await client.get(path + "?unknown=1").body
                let answer = String(decoding: body, as: UTF8.self)
                let names = (item["get"]?.parameters ?? []).map(\.name)
                let fix =
                    names.isEmpty ? "leave the query out" : "use " + names.joined(separator: " or ")
                #expect(answer.contains("\"fix\":\"\(fix)\""), "\(path): \(answer)")
            }
        }
    }

    @Test func `every name that is pointed to is there`() async throws {
        let (_, text) = try await document()
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let document = try #require(object as? [String: Any])
        let components = try #require(document["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: Any])
        let prefix = "#/components/schemas/"
        let named = Set(
            text.split(separator: "\"").filter { $0.hasPrefix(prefix) }
                .map { String($0.dropFirst(prefix.count)) })

        #expect(!named.isEmpty)
        #expect(named == Set(schemas.keys))
    }
}
