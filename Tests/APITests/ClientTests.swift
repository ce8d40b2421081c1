import API
import Foundation
import Testing

struct ClientTests {
    @Test func `says that no agent is there, and how to start one`() async throws {
        let client = APIClient(socketPath: "/tmp/ringfence-nobody.sock")
        let error = APIClientError.noAgent(path: client.socketPath)

        await #expect(throws: error) { try await client.status() }
        await #expect(throws: error) { try await client.followViolations { _ in } }
        #expect(
            error.description
                == "no agent is listening at /tmp/ringfence-nobody.sock\n"
                + "  fix: start it with 'ringfence agent', or name its socket with --socket")
    }

    @Test func `a path that is no socket, or too long, is no agent`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/file"
        try Data().write(to: URL(filePath: path))
        await #expect(throws: APIClientError.noAgent(path: path)) {
            try await APIClient(socketPath: path).status()
        }
        let long = String(repeating: "x", count: 200)
        await #expect(throws: APIClientError.self) {
            try await APIClient(socketPath: long).status()
        }
    }

    @Test func `a refused stream tells why`() async throws {
        try await withServer(FakeAgent()) { client, _ in
            let expected = APIClientError.refused(
                status: 400, error: "unknown query parameter 'x'",
                fix:
                    "use since or until or tenant or source or destination or reason or follow or limit "
                    + "or cursor")
            await #expect(throws: expected) {
                try await client.forEachLine(of: "/v1/violations?follow=true&x=1") { _ in }
            }
        }
    }

    @Test func `an agent that never answers is given up`() async throws {
        try await withServer(FakeAgent()) { client, _ in
            let hasty = APIClient(socketPath: client.socketPath, timeout: .milliseconds(50))
            let expected = APIClientError.silent(
                path: client.socketPath, after: .milliseconds(50))
            await #expect(throws: expected) {
                try await hasty.get("/v1/violations?follow=true")
            }
        }
    }
}
