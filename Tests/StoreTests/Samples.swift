import NetTypes
import Policy
import Reports

@testable import Store

/// Values that tests keep.
enum Sample {
    static let start = Timestamp(milliseconds: 1_767_323_045_678)

    static func moment(_ milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: start.milliseconds + milliseconds)
    }

    /// A refused flow that differs from those of other numbers.
    static func violation(
        _ number: Int, at milliseconds: Int64? = nil, from: String = "shop",
        to: String = "payments", reason: RefusalReason = .noRule,
        layer: Violation.Layer = .nftables, packets: UInt64 = 3, generation: UInt64 = 7
    ) -> Violation {
        let first = moment(milliseconds ?? Int64(number))
        return Violation(
            first: first, last: Timestamp(milliseconds: first.milliseconds + 500),
            source: ViolationEnd(
                address: .v4(0x0a00_0000 + UInt32(number)), tenant: from, endpoint: "\(from)-1"),
            destination: ViolationEnd(
                address: .v6(0xfd00 << 112 + UInt128(number)), tenant: to, endpoint: "\(to)-db"),
            ipProtocol: .tcp, ports: .init(source: 40_000, destination: 5432),
            direction: .ingress, layer: layer, reason: reason, packets: packets,
            bytes: packets * 60,
            closest: Explanation(
                rule: RuleReference(
                    id: RuleID(rawValue: 0xfeed_beef), policy: "shop-to-payments", owner: "team",
                    ticket: "SEC-1", place: SourcePlace(file: "shop.yaml", line: 7, column: 9)),
                lack: "the rule admits tcp 443, not tcp 5432", fix: "add tcp 5432 to its ports"),
            generation: generation)
    }

    static func violations(_ numbers: Range<Int>) -> [Violation] { numbers.map { violation($0) } }

    static func generation(
        _ number: UInt64, at milliseconds: Int64 = 0, files: [String: String] = [:],
        changes: [FileChange] = [], errors: [String] = []
    ) -> GenerationRecord {
        GenerationRecord(
            number: number, applied: moment(milliseconds), changedEndpoints: 4,
            readMilliseconds: 1.25, compileMilliseconds: 0.5, applyMilliseconds: 12.75,
            files: files, changes: changes, errors: errors)
    }

    static func total(
        at moment: Timestamp = start, reason: RefusalReason? = nil, packets: UInt64 = 1,
        to destination: PartyName = .world
    ) -> HourlyTotal {
        HourlyTotal(
            at: moment, source: .tenant("shop"), destination: destination, direction: .egress,
            reason: reason, counts: Tally(packets: packets, bytes: packets * 100, flows: 1))
    }

    static func drift(_ found: Int64 = 0) -> DriftRecord {
        DriftRecord(
            found: moment(found), tenant: "shop", endpoint: "shop-1",
            change: "the set own4 lacks 10.0.0.1", process: "nft", pid: 4711, user: 0,
            isRepaired: true)
    }
}

extension Store {
    /// Every violation, page by page.
    func allViolations(limit: Int = 10_000) async throws -> [Violation] {
        var query = ViolationQuery(limit: limit)
        var all: [Violation] = []
        repeat {
            let page = try await violations(query)
            all += page.violations
            query.cursor = page.next
        } while query.cursor != nil
        return all
    }

    /// Prunes until nothing more goes.
    func settle() async {
        var before: StoreStatus?
        var now = await status()
        while now.rows != before?.rows || now.bytes != before?.bytes {
            before = now
            await flush()
            now = await status()
        }
    }
}
