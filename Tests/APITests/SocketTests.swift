import API
import Foundation
import Testing

struct SocketTests {
    @Test func `only the owner can connect`() async throws {
        try await withServer(FakeAgent()) { _, directory in
            let modes = try ["run", "run/api.sock", "run/api.sock.lock"].map {
                try directory.mode(of: $0)
            }
            let names = try directory.contents(of: "run")

            #expect(modes == [0o700, 0o600, 0o600])
            #expect(names == ["api.sock", "api.sock.lock"])
        }
    }

    @Test func `a second agent is refused, and the first goes on`() async throws {
        try await withServer(FakeAgent()) { client, _ in
            let second = APIServer(
                socketPath: client.socketPath, agent: FakeAgent(), logger: quiet)

            await #expect(throws: APIServerError.taken(path: client.socketPath)) {
                try await second.run()
            }

            let answer = try await client.get("/healthz")
            #expect(answer.status == 200)
        }
    }

    @Test func `a listener without a lock is not pushed aside`() async throws {
        try await withServer(FakeAgent()) { client, directory in
            try FileManager.default.removeItem(atPath: client.socketPath + ".lock")
            let second = APIServer(
                socketPath: client.socketPath, agent: FakeAgent(), logger: quiet)

            await #expect(throws: APIServerError.taken(path: client.socketPath)) {
                try await second.run()
            }

            let answer = try await client.get("/healthz")
            #expect(try directory.contents(of: "run").contains("api.sock"))
            #expect(answer.status == 200)
        }
    }

    @Test func `a socket that a crash left is replaced`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/api.sock"
        try await serveOnce(path) {}
        // What is left after a crash: a bound socket that nobody listens on, and staging.
        try leaveSocket(at: path)
        try FileManager.default.createDirectory(
            atPath: path + ".new", withIntermediateDirectories: false)
        try leaveSocket(at: path + ".new/s")

        try await serveOnce(path) {
            let names = try directory.contents(of: "")
            #expect(names == ["api.sock", "api.sock.lock"])
        }

        #expect(try directory.contents(of: "") == ["api.sock.lock"])
    }

    @Test func `what is not a socket is left alone`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/notes"
        try Data("keep".utf8).write(to: URL(filePath: path))

        await #expect(throws: APIServerError.notASocket(path: path)) {
            try await APIServer(socketPath: path, agent: FakeAgent(), logger: quiet).run()
        }

        #expect(try Data(contentsOf: URL(filePath: path)) == Data("keep".utf8))
    }

    @Test func `a directory that others may write to is refused`() async throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o777], ofItemAtPath: directory.path)

        await #expect(throws: APIServerError.openDirectory(directory.path)) {
            try await APIServer(
                socketPath: directory.path + "/api.sock", agent: FakeAgent(), logger: quiet
            ).run()
        }
    }

    @Test func `a path that the kernel would cut is refused`() async throws {
        let path = "/tmp/" + String(repeating: "x", count: 100)
        await #expect(throws: APIServerError.pathTooLong(path: path, greatest: 101)) {
            try await APIServer(socketPath: path, agent: FakeAgent(), logger: quiet).run()
        }
    }

    private func serveOnce(_ path: String, _ body: () throws -> Void) async throws {
        let server = APIServer(socketPath: path, agent: FakeAgent(), logger: quiet)
        let running = Task { try await server.run() }
        let client = APIClient(socketPath: path)
        try await eventually { (try? await client.get("/healthz").status) == 200 }
        try body()
        running.cancel()
        _ = await running.result
    }

    private func leaveSocket(at path: String) throws {
        let script = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
        let process = try Process.run(
            URL(filePath: "/usr/bin/env"), arguments: ["python3", "-c", script, path])
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
