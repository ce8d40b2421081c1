import Foundation
import Reports
import Testing

@testable import Store

@Suite struct PageTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `pages show each flow once while others come, go on and are pruned`() async throws {
        let store = scratch.store()
        let old = Sample.violations(0..<3000)
        store.record(old)
        await store.flush()
        let writer = Thread {
            for round in 0..<60 {
                // Newer ones, older ones, and packets more of those that are there.
                store.record((0..<50).map { Sample.violation(10_000 + round * 50 + $0) })
                store.record(
                    (0..<50).map {
                        Sample.violation(20_000 + round * 50 + $0, at: -1_000_000 + Int64(round))
                    })
                store.record(
                    (0..<50).map {
                        Sample.violation(round * 50 + $0, packets: 100 + UInt64(round))
                    })
                usleep(2000)
            }
        }
        writer.start()
        var query = ViolationQuery(limit: 37)
        var seen: [Violation] = []
        repeat {
            let page = try await store.violations(query)
            #expect(page.violations.count <= 37)
            seen += page.violations
            query.cursor = page.next
        } while query.cursor != nil
        while !writer.isFinished { usleep(1000) }

        #expect(seen == seen.sorted { $0.first > $1.first })
        let keys = seen.map { ViolationKey($0) }
        #expect(Set(keys).count == keys.count)
        #expect(Set(keys).isSuperset(of: old.map { ViolationKey($0) }))
        #expect(try await store.allViolations(limit: 999).count == 9000)
        await store.close()
    }

    @Test func `a cursor outlives a restart`() async throws {
        var store = scratch.store()
        store.record(Sample.violations(0..<10))
        let page = try await store.violations(ViolationQuery(limit: 4))
        await store.close()
        store = scratch.store()
        let next = try await store.violations(ViolationQuery(limit: 100, cursor: page.next))
        #expect(page.violations + next.violations == Sample.violations(0..<10).reversed())
        #expect(next.next == nil)
        await store.close()
    }

    @Test(arguments: ["", "x", "AAAA", "not base64!", "'; --"])
    func `what is no cursor is refused`(_ cursor: String) async throws {
        let store = scratch.store()
        let error = await #expect(throws: StoreError.self) {
            try await store.violations(ViolationQuery(cursor: cursor))
        }
        #expect(error?.kind == .badCursor)
        await store.close()
    }

    @Test func `each filter leaves out what it should`() async throws {
        let store = scratch.store()
        let all = [
            Sample.violation(1), Sample.violation(2, from: "ops", to: "shop"),
            Sample.violation(3, reason: .revoked), Sample.violation(4, layer: .hostFilter),
            Sample.violation(5, at: 10_000, from: "ops"),
        ]
        store.record(all.map { ViolationRecord($0, destination: $0 == all[4] ? .world : nil) })
        func numbers(_ query: ViolationQuery) async throws -> [Int] {
            try await store.violations(query).violations
                .compactMap { all.firstIndex(of: $0) }.map { $0 + 1 }.sorted()
        }
        #expect(try await numbers(.init()) == [1, 2, 3, 4, 5])
        #expect(try await numbers(.init(tenant: "shop")) == [1, 2, 3, 4])
        #expect(try await numbers(.init(tenant: "ops")) == [2, 5])
        #expect(try await numbers(.init(source: .tenant("shop"))) == [1, 3, 4])
        #expect(try await numbers(.init(destination: .tenant("shop"))) == [2])
        #expect(try await numbers(.init(destination: .world)) == [5])
        #expect(try await numbers(.init(reason: .revoked)) == [3])
        #expect(try await numbers(.init(layer: .hostFilter)) == [4])
        // A flow lasts 500 ms here.
        #expect(try await numbers(.init(since: Sample.moment(503))) == [3, 4, 5])
        #expect(try await numbers(.init(until: Sample.moment(3))) == [1, 2, 3])
        #expect(
            try await numbers(.init(since: Sample.moment(504), until: Sample.moment(9999))) == [4])
        #expect(try await numbers(.init(tenant: "shop", reason: .noRule, limit: 1)) == [4])
        #expect(try await numbers(.init(tenant: "nobody")) == [])
        await store.close()
    }
}
