import Foundation
import Reports
import Testing

@testable import Store

/// Whatever becomes of the file, recording goes on, and what is wrong is told.
@Suite(.serialized) struct OutageTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// How long a file that can't be used is left alone, and a bit.
    private static let retry = Duration.seconds(31)

    @Test func `a full disk: memory takes over, and the disk gets it all when there is room`()
        async throws
    {
        try scratch.mount(size: "600k")
        let store = scratch.store()
        store.record([Sample.violation(0)])
        await store.flush()
        try scratch.run("head -c 2M /dev/zero > '\(scratch.path)/filler' 2>/dev/null; true")
        let all = Sample.violations(0..<3000)
        store.record(Array(all.dropFirst()))

        let problem = try #require(await store.status().problem)
        #expect(problem.contains("no room is left") && problem.contains("fix: make room"))
        #expect(!store.condition.isOnDisk)
        #expect(try await store.allViolations().count == 2999)
        #expect(scratch.log.lines.contains { $0.contains("kept in memory until") })

        try scratch.remount("size=64m")
        scratch.clock.advance(by: Self.retry)
        await store.flush()
        #expect(await store.status().problem == nil)
        #expect(store.condition.isOnDisk)
        #expect(Set(try await store.allViolations()) == Set(all))
        #expect(await store.status().lost == 0)
        await store.close()
    }

    @Test func `a store that was closed leaves its file alone`() async throws {
        let store = scratch.store()
        store.record([Sample.violation(1)])
        await store.close()
        try FileManager.default.removeItem(atPath: scratch.file)
        scratch.clock.advance(by: .seconds(3600))
        store.record([Sample.violation(2)])
        await store.flush()
        #expect(try scratch.names().allSatisfy { !$0.hasPrefix("history.sqlite") })
    }

    @Test func `a locked file: memory takes over until the lock is gone`() async throws {
        let first = scratch.store()
        first.record([Sample.violation(0)])
        await first.close()
        let other = try Child.locking(scratch.file)
        let store = scratch.store()
        store.record([Sample.violation(1)])

        let problem = try #require(await store.status().problem)
        #expect(problem.contains("another process holds its lock"))
        #expect(try await store.allViolations() == [Sample.violation(1)])

        try other.end()
        scratch.clock.advance(by: Self.retry)
        await store.flush()
        #expect(await store.status().problem == nil)
        #expect(
            Set(try await store.allViolations()) == [Sample.violation(0), Sample.violation(1)])
        await store.close()
    }

    @Test(arguments: ["text", "cut", "hole"])
    func `a damaged file is put aside whole, and a new one begins`(_ kind: String) async throws {
        let first = scratch.store()
        first.record(Sample.violations(0..<500))
        await first.close()
        var bytes = try scratch.bytes()
        switch kind {
        case "text": bytes = Data("no database at all, but long enough to be looked at".utf8)
        case "cut": bytes = bytes.prefix(bytes.count / 2)
        default: bytes.replaceSubrange(4096..<16_384, with: Data(repeating: 0xff, count: 12_288))
        }
        try bytes.write(to: URL(fileURLWithPath: scratch.file))

        let store = scratch.store()
        store.record([Sample.violation(1000)])
        #expect(try await store.allViolations() == [Sample.violation(1000)])
        #expect(await store.status().problem == nil)
        await store.close()
        // SQLite's own log and index go with it where they had been opened.
        let aside = try scratch.names().filter {
            $0.contains(".damaged-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm")
        }
        #expect(aside.count == 1)
        #expect(try scratch.bytes(aside.first ?? "") == bytes)
        #expect(scratch.log.lines.contains { $0.contains("is damaged") })
    }

    @Test func `a file that somebody takes away is made anew`() async throws {
        let store = scratch.store()
        store.record([Sample.violation(0)])
        await store.flush()
        try scratch.run("rm '\(scratch.file)'*")
        store.record([Sample.violation(1)])

        #expect(try await store.allViolations() == [Sample.violation(1)])
        #expect(await store.status().problem == nil)
        #expect(try scratch.names().contains("history.sqlite"))
        await store.close()
    }

    @Test func `a disk that can't be written to`() async throws {
        try scratch.mount(size: "8m")
        try scratch.remount("ro")
        let store = scratch.store()
        store.record([Sample.violation(1)])

        #expect(await store.status().problem?.contains("can't be used") == true)
        #expect(try await store.allViolations() == [Sample.violation(1)])
        try scratch.remount("rw")
        scratch.clock.advance(by: Self.retry)
        #expect(try await store.allViolations() == [Sample.violation(1)])
        #expect(await store.status().problem == nil)
        await store.close()
    }

    @Test func `memory is bounded, and what it can't hold is counted`() async throws {
        try scratch.mount(size: "8m")
        try scratch.remount("ro")
        let store = scratch.store { $0.memoryRows = 100 }
        for start in stride(from: 0, to: 1000, by: 100) {
            store.record(Sample.violations(start..<(start + 100)))
            await store.flush()
        }

        #expect(
            Set(try await store.allViolations()) == Set(Sample.violations(900..<1000)))
        #expect(await store.status().lost == 900)
        #expect(store.condition.lost == 900)
        await store.close()
    }

    @Test func `what is killed in the middle loses nothing that was written`() async throws {
        let store = scratch.store()
        store.record(Sample.violations(0..<100))
        await store.flush()
        // As a process leaves them that was killed: the log was never taken into the file.
        let copy = try Scratch()
        for name in ["history.sqlite", "history.sqlite-wal"] {
            try scratch.bytes(name).write(to: URL(fileURLWithPath: copy.path + "/" + name))
        }
        await store.close()

        let again = copy.store()
        #expect(Set(try await again.allViolations()) == Set(Sample.violations(0..<100)))
        #expect(await again.status().problem == nil)
        await again.close()
    }

    @Test func `what is too old goes, and what is too much`() async throws {
        let store = scratch.store { $0.retention.bytes = 2_000_000 }
        store.record(Sample.violations(0..<6000))
        store.record([Sample.violation(9000, at: -100 * 86_400_000)])
        scratch.clock.advance(by: .seconds(61))
        await store.settle()

        let left = try await store.allViolations()
        #expect(!left.contains { $0.first < Sample.start })
        #expect((1000..<5500).contains(left.count), "\(left.count) are left")
        #expect(left.first == Sample.violation(5999))
        await store.close()
    }
}
