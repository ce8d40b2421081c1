import NetTypes
import Reports
import Testing

@testable import Store

@Suite struct RoundTripTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(arguments: [false, true])
    func `drift that happens again stays one record`(_ isWrittenBetween: Bool) async throws {
        let store = scratch.store()
        var record = DriftRecord(
            id: "a-1", found: Sample.start, tenant: "shop", endpoint: "shop-1", kind: .otherTable,
            change: "table ip x: added", process: "nft", pid: 7, user: 1, login: 1000,
            isRepaired: false)
        store.record(record)
        if isWrittenBetween { await store.flush() }
        record.times = 2000
        record.last = Sample.moment(900)
        record.isRepaired = true
        record.repairMilliseconds = 1.5
        store.record(record)
        store.record(Sample.drift(500))
        await store.flush()

        #expect(try await store.drift(DriftQuestion()) == [Sample.drift(500), record])
        #expect(try await store.drift(DriftQuestion(since: Sample.moment(800))) == [record])
        #expect(try await store.drift(DriftQuestion(tenant: "db")) == [])
        #expect(try await store.drift(DriftQuestion(limit: 1)) == [record])
        await store.close()
    }

    @Test(arguments: [false, true])
    func `what was recorded is there after a restart`(_ isReopened: Bool) async throws {
        var store = scratch.store()
        var bare = Violation(
            first: Sample.moment(9), last: Sample.moment(9),
            source: ViolationEnd(address: .v4(1)), destination: ViolationEnd(address: .v6(2)),
            ipProtocol: .icmpv6, message: .init(type: 128, code: 255), direction: .egress,
            layer: .hostFilter, reason: .spoofedLinkAddress, packets: 0, bytes: 0, generation: 0)
        store.record([Sample.violation(1), bare])
        bare.message = nil
        bare.ipProtocol = IPProtocol(rawValue: 47)
        store.record([bare])
        let generation = Sample.generation(
            3, files: ["a.yaml": "00ff", "b.yaml": "11"],
            changes: [.init(file: "a.yaml", kind: .added)], errors: ["c.yaml:1:1: bad"])
        store.record(generation)
        store.add([Sample.total(), Sample.total(reason: .noRule)])
        let drift = [
            Sample.drift(),
            DriftRecord(
                found: Sample.moment(5), endpoint: "x", change: "gone", isRepaired: false),
        ]
        drift.forEach { store.record($0) }
        let run = AgentRun(started: Sample.start, version: "1.0", pid: 12)
        store.record(run)
        if isReopened {
            await store.close()
            store = scratch.store()
        }

        let kept = try await store.allViolations()
        #expect(kept.count == 3)
        #expect(Set(kept.suffix(1)) == [Sample.violation(1)])
        #expect(kept.contains(bare))
        #expect(try await store.generations() == [generation])
        #expect(try await store.totals() == [Sample.total(), Sample.total(reason: .noRule)])
        #expect(try await store.drift() == drift.reversed())
        #expect(try await store.runs() == [run])
        let status = await store.status()
        #expect(status.problem == nil && status.lost == 0 && status.bytes > 0)
        #expect(status.rows["violation"] == 3 && status.path == scratch.file)
        await store.close()
    }

    @Test func `a violation grows within its window, and is another one in the next`() async throws
    {
        let store = scratch.store()
        var violation = Sample.violation(1, packets: 1)
        store.record([violation])
        await store.flush()
        violation.packets = 9
        violation.last = Sample.moment(60_000)
        store.record([violation])
        await store.flush()
        var next = violation
        next.first = Sample.moment(60_001)
        next.last = next.first
        store.record([next])

        #expect(try await store.allViolations() == [next, violation])
        await store.close()
    }

    @Test func `what one field differs in is another flow`() async throws {
        let store = scratch.store()
        let violation = Sample.violation(1)
        var others: [Violation] = [violation]
        func add(_ change: (inout Violation) -> Void) {
            var other = violation
            change(&other)
            others.append(other)
        }
        add { $0.source.address = .v4(9) }
        add { $0.destination.address = .v4(9) }
        add { $0.ipProtocol = .udp }
        add { $0.ports?.source += 1 }
        add { $0.ports?.destination += 1 }
        add { $0.ports = nil }
        add { $0.message = .init(type: 1, code: 2) }
        add { $0.direction = .egress }
        add { $0.layer = .hostFilter }
        add { $0.reason = .revoked }
        add { $0.source.tenant = nil }
        add { $0.source.tenant = "" }
        add { $0.source.endpoint = "other" }
        add { ($0.source.tenant, $0.source.endpoint) = ("shopshop", "-1") }
        add { $0.destination.endpoint = nil }
        store.record(others)
        #expect(Set(try await store.allViolations()) == Set(others))
        await store.close()
    }

    @Test func `totals of an hour only grow, and stay at the largest number`() async throws {
        let store = scratch.store()
        store.add([Sample.total(packets: 5)])
        await store.flush()
        store.add([Sample.total(packets: 6), Sample.total(packets: 1)])
        let next = Timestamp(milliseconds: Sample.start.milliseconds + 3_600_000)
        store.add([Sample.total(at: next, packets: 2)])
        #expect(try await store.totals().map(\.counts.packets) == [2, 12])
        #expect(try await store.totals(until: Sample.start).map(\.counts.flows) == [3])
        #expect(try await store.totals(since: next).map(\.counts.bytes) == [200])

        for _ in 0..<3 {
            var huge = Sample.total()
            huge.counts = Tally(packets: .max, bytes: .max, flows: 1)
            store.add([huge])
            await store.flush()
        }
        let last = try await store.totals().last
        #expect(
            last?.counts == Tally(packets: UInt64(Int64.max), bytes: UInt64(Int64.max), flows: 6))
        await store.close()
    }

    @Test func `the end of a run is told to its start`() async throws {
        let store = scratch.store()
        var run = AgentRun(started: Sample.start, version: "1.0", pid: 12)
        store.record(run)
        await store.flush()
        run.stopped = Sample.moment(10)
        store.record(run)
        let crashed = AgentRun(started: Sample.moment(20), version: "1.0", pid: 13)
        store.record(crashed)
        #expect(try await store.runs() == [crashed, run])
        await store.close()
    }

    @Test func `a generation knows every file that was in force`() async throws {
        let store = scratch.store()
        let files: [[String: String]] = [
            ["a": "1"], ["a": "1", "b": "2"], ["a": "3", "b": "2"], ["b": "2"],
            ["a": "1", "b": "2"],
        ]
        for (number, files) in files.enumerated() {
            store.record(
                Sample.generation(UInt64(number), at: Int64(number) * 1000, files: files))
            await store.flush()
        }
        #expect(try await store.generations().reversed().map(\.files) == files)
        #expect(try await store.generation(at: Sample.moment(-1)) == nil)
        #expect(try await store.generation(at: Sample.moment(2999))?.number == 2)
        #expect(try await store.generation(at: Sample.moment(3000))?.files == files[3])
        #expect(try await store.generation(number: 1)?.files == files[1])
        #expect(try await store.history(limit: 2).generations.map(\.number) == [4, 3])
        await store.close()
    }

    @Test(
        arguments: [
            "'; DROP TABLE violation; --", "\" OR 1=1", "a\0b", "\0", "", "%_*?", "\u{202e}evil",
            "e\u{301}", "é", "👩‍👩‍👧‍👧", "\n\r\t\u{1b}[2J", String(repeating: "x", count: 100_000),
        ])
    func `hostile text comes back as it was`(_ text: String) async throws {
        var store = scratch.store()
        var violation = Sample.violation(1)
        violation.source.tenant = text
        violation.source.endpoint = text
        violation.closest = nil
        store.record([violation])
        store.record(
            Sample.generation(
                1, files: [text: text], changes: [.init(file: text, kind: .removed)], errors: [text]
            ))
        let drift = DriftRecord(
            found: Sample.start, tenant: text, endpoint: text, change: text, process: text,
            isRepaired: false)
        store.record(drift)
        let total = Sample.total(to: PartyName(kind: .address, name: text))
        store.add([total])
        store.record(AgentRun(started: Sample.start, version: text, pid: 1))
        await store.close()
        store = scratch.store()

        let found = try await store.violations(ViolationQuery(tenant: text)).violations
        #expect(found == [violation])
        #expect(found.first?.source.tenant.map { Array($0.utf8) } == Array(text.utf8))
        #expect(
            try await store.violations(ViolationQuery(source: .tenant(text))).violations == found)
        #expect(try await store.generations().first?.files == [text: text])
        #expect(try await store.generations().first?.errors == [text])
        #expect(try await store.drift() == [drift])
        #expect(try await store.totals() == [total])
        #expect(try await store.runs().first?.version == text)
        await store.close()
    }
}
