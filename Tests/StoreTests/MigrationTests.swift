import Foundation
import GRDB
import NetTypes
import Policy
import Reports
import Testing

@testable import Store

/// A file of an earlier version is brought up to date with all that is in it.
@Suite struct MigrationTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// What each earlier version wrote, as SQL.
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures")

    /// Makes the file that a version wrote.
    private func write(version: Int) throws {
        let sql = try String(
            contentsOf: Self.fixtures.appending(path: "v\(version).sql"), encoding: .utf8)
        let database = try DatabaseQueue(path: scratch.file)
        try database.write { try $0.execute(sql: sql) }
        try database.close()
    }

    @Test func `every earlier version has a file to be tried with`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.fixtures.path)
        #expect(Set(names) == Set((1..<Schema.version).map { "v\($0).sql" }))
    }

    @Test(arguments: 1..<Schema.version)
    func `what an earlier version kept is there, and more can be kept`(_ version: Int) async throws
    {
        try write(version: version)
        let store = scratch.store()

        let kept = try await store.allViolations()
        #expect(kept.map(\.packets) == [1, 3])
        let flood = try #require(kept.first)
        #expect(flood.source.address == .v4(0xc000_0207) && flood.source.tenant == nil)
        #expect(flood.message == .init(type: 8, code: 0) && flood.reason == .identity)
        #expect(flood.flows == nil && flood.source.party == nil)
        let refused = try #require(kept.last)
        #expect(refused.first == Sample.start && refused.last == Sample.moment(500))
        #expect(refused.source.tenant == "shop" && refused.destination.endpoint == "payments-db")
        #expect(refused.ports == .init(source: 40_000, destination: 5432))
        #expect(refused.closest?.lack == "the rule admits tcp 443, not tcp 5432")
        #expect(try await store.totals().map(\.counts) == [Tally(packets: 3, bytes: 180, flows: 1)])
        let generation = Sample.generation(
            7, files: ["a.yaml": "00ff"], changes: [.init(file: "a.yaml", kind: .added)])
        #expect(try await store.generations() == [generation])
        #expect(try await store.drift() == [Sample.drift()])
        #expect(try await store.runs().map(\.pid) == [12])

        var more = Sample.violation(9)
        more.flows = 12
        more.source.party = .world
        store.record([more])
        #expect(try await store.allViolations().contains(more))
        #expect(await store.status().problem == nil)
        await store.close()
        #expect(try scratch.names().allSatisfy { !$0.contains("damaged") })
    }

    @Test func `a file of a later version is left as it is`() async throws {
        let first = scratch.store()
        first.record([Sample.violation(1)])
        await first.close()
        let database = try DatabaseQueue(path: scratch.file)
        try await database.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('v999')")
        }
        try database.close()
        let before = try scratch.bytes()

        let store = scratch.store()
        store.record([Sample.violation(2)])
        let problem = try #require(await store.status().problem)
        #expect(problem.contains("later version") && problem.contains("fix:"))
        #expect(try await store.allViolations() == [Sample.violation(2)])
        await store.close()
        #expect(try scratch.bytes() == before)
    }
}
