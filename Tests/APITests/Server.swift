import API
import Foundation
import Logging
import ServiceLifecycle
import Testing

/// A directory that goes away with its test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/ringfence-api-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func mode(of name: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    func contents(of name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + name).sorted()
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a server over a fake agent in a directory that it has to make, and stops it in the end.
func withServer(
    _ agent: FakeAgent, heartbeat: Duration = .seconds(60),
    _ body: (APIClient, TemporaryDirectory) async throws -> Void
) async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/run/api.sock"
    let server = APIServer(socketPath: path, agent: agent, heartbeat: heartbeat, logger: quiet)
    let group = ServiceGroup(services: [server], logger: quiet)
    let running = Task { try await group.run() }
    let client = APIClient(socketPath: path, timeout: .seconds(30))
    do {
        try await eventually { (try? await client.get("/healthz").status) == 200 }
        try await body(client, directory)
    } catch {
        await group.triggerGracefulShutdown()
        try await running.value
        throw error
    }
    await group.triggerGracefulShutdown()
    try await running.value
}

struct TooLate: Error {}

/// Waits for a condition with a deadline.
func eventually(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TooLate() }
        try await Task.sleep(for: .milliseconds(2))
    }
}
