import NetTypes
import Policy
import Reports
import Testing

/// What operators read, as text and as JSON.
struct ReportTests {
    static let moment = Timestamp(milliseconds: 1_767_323_045_678)
    static let place = SourcePlace(file: "policies/shop.yaml", line: 7, column: 3)
    static let rule = RuleReference(
        id: RuleID(rawValue: 255), policy: "sql", owner: "dba", ticket: "SEC-9", place: place)

    static let status = StatusReport(
        agent: AgentStatus(version: "1.0.0", pid: 42, started: moment, generation: 17),
        policies: PolicyStatus(
            directory: "/etc/ringfence", files: 1, policies: 2, rules: 3, tenants: 1,
            errors: [Diagnostic("no tenant is called 'x'", fix: "write 'y'", at: place)]),
        endpoints: [
            EndpointStatus(
                name: "web", tenant: "shop", state: .enforced, addresses: [.v4(0x0a00_0001)],
                generation: 17),
            EndpointStatus(
                name: "evil\u{1b}[31m", tenant: "shop", state: .dirty, addresses: [],
                lastError: "no buffer space"),
        ],
        unknownNamespaces: [
            UnknownNamespace(name: "lost", id: NamespaceID(device: 4, inode: 9), isClosed: true)
        ],
        conflicts: [ConflictStatus(.sharedAddress(.v4(0x0a00_0009), by: ["a", "b"]))],
        lastApply: ApplyStatus(
            finished: moment, changedEndpoints: 2, readMilliseconds: 0.5,
            compileMilliseconds: 1.25, applyMilliseconds: 12.006),
        lost: LostEvents(refusals: 3))

    @Test func `status is one page`() {
        #expect(
            Self.status.text(width: 100) == """
                1 of 2 endpoints enforced, 1 mistake in the files, 1 conflict
                ringfence 1.0.0, pid 42, started 2026-01-02T03:04:05.678Z, host filter off
                generation 17 from /etc/ringfence: 1 file, 2 policies, 3 rules, 1 tenant
                last applied 2026-01-02T03:04:05.678Z to 2 endpoints: read 0.50 ms, compile 1.25 ms, apply 12.01 ms
                the policy directory is not in force as it is; the last good state stays:
                  policies/shop.yaml:7:3: no tenant is called 'x'
                    fix: write 'y'
                endpoints:
                ENDPOINT        TENANT  STATE     ADDRESSES  GENERATION  LAST ERROR
                web             shop    enforced  10.0.0.1           17
                evil\\u{1b}[31m  shop    dirty                         -  no buffer space
                namespaces that no tenant claims:
                NAMESPACE  STATE                    ID       ADDRESSES
                lost       closed, was an endpoint  net:[9]
                conflicts:
                CONFLICT  REFUSED TO  WHY
                10.0.0.9  a, b        they configured the address at the same time, and none of them may use it; ta…
                lost events: 3 refusals, 0 link changes, 0 rule changes, 0 violations

                """)
    }

    @Test func `drift says what, who, how often, and whether it is repaired`() {
        let report = DriftReport(drift: [
            DriftRecord(
                found: Self.moment, tenant: "shop", endpoint: "web", kind: .ownTable,
                change: "the table was gone", process: "nft", pid: 42, user: 0, login: 1000,
                isRepaired: true, repairMilliseconds: 1.25),
            DriftRecord(
                found: Self.moment, endpoint: "db", kind: .otherTable,
                change: "table ip evil\u{1b}: added", process: "nft", pid: 43, isRepaired: false,
                times: 2000, last: Self.moment),
            DriftRecord(
                found: Self.moment, endpoint: "db", kind: .otherTableGone,
                change: "table ip x: gone", isRepaired: false),
        ])
        #expect(
            report.text(TextForm()) == """
                drift:
                FOUND                     ENDPOINT  CHANGE                      BY                                                        TIMES  REPAIRED
                2026-01-02T03:04:05.678Z  shop/web  the table was gone          nft, pid 42, uid 0 when looked up, logged in as uid 1000      1  in 1.25 ms
                2026-01-02T03:04:05.678Z  db        table ip evil\\u{1b}: added  nft, pid 43, user unknown                                  2000  no
                2026-01-02T03:04:05.678Z  db        table ip x: gone            unknown                                                       1  gone

                """)
        #expect(
            report.drift[1].line
                == "2026-01-02T03:04:05.678Z db: table ip evil\\u{1b}: added (2000 times); "
                + "by nft, pid 43, user unknown; repaired: no")
        let widest = report.text(TextForm(width: 80)).split(separator: "\n").map(\.count).max()
        #expect(widest ?? 0 <= 80)
        #expect(DriftReport(drift: []).text(TextForm()) == "drift: none\n")
    }

    static let counters = CountersReport(
        since: moment,
        rules: [
            RuleCounters(
                rule: RuleID(rawValue: 255), policy: "sql", place: place, service: "tcp 5432",
                counts: Tally(packets: 10, bytes: 1000, flows: 2))
        ],
        refused: [
            RefusedPair(
                source: .tenant("shop"), destination: .world, direction: .egress, reason: .noRule,
                counts: Tally(packets: 1, bytes: 60, flows: 1))
        ],
        endpoints: [
            EndpointCounters(
                tenant: "shop", endpoint: "web",
                admitted: Tally(packets: 10, bytes: 1000, flows: 2),
                refused: Tally(packets: 1, bytes: 60, flows: 1))
        ],
        notRecorded: Tally(packets: 5, bytes: 300, flows: 1))

    @Test func `counters are three tables`() {
        #expect(
            Self.counters.text(width: nil) == """
                counted since 2026-01-02T03:04:05.678Z
                rules:
                RULE              POLICY  PLACE                   SERVICE   PACKETS  BYTES  FLOWS
                00000000000000ff  sql     policies/shop.yaml:7:3  tcp 5432       10   1000      2

                refused:
                FROM  TO     REFUSED AT  REASON  PACKETS  BYTES  FLOWS
                shop  world  egress      noRule        1     60      1

                endpoints:
                ENDPOINT  TENANT  ADMITTED  BYTES  REFUSED  BYTES
                web       shop          10   1000        1     60

                refused but in no line above: 5 packets, 300 bytes, 1 flow

                """)
    }

    @Test func `what nobody attempted has a line of its own`() {
        let overheard = Overheard(
            flooded: Tally(packets: 2, bytes: 120), multicast: Tally(packets: 1, bytes: 76))
        let line = "overheard: 2 flooded frames (120 bytes), 1 multicast message (76 bytes)\n"
        var counters = Self.counters
        counters.overheard = overheard
        #expect(counters.text(width: nil) == Self.counters.text(width: nil) + line)
        counters.overheard = Overheard()
        #expect(counters.text(width: nil) == Self.counters.text(width: nil))
        var status = Self.status
        status.overheard = overheard
        #expect(status.text(width: nil).contains("\n" + line + "lost events"))
    }

    static let violation = Violation(
        first: moment, last: moment,
        source: ViolationEnd(address: .v4(0x0a00_0001), tenant: "shop", endpoint: "web"),
        destination: ViolationEnd(address: .v4(0xcb00_7107)), ipProtocol: .tcp,
        ports: .init(source: 40_000, destination: 5433), direction: .egress, reason: .noRule,
        packets: 1, bytes: 60,
        closest: Explanation(
            rule: rule, lack: "port 5433 is not among 5432", fix: "add port 5433 to the rule"),
        generation: 17)

    @Test func `a violation names both ends, the reason and the closest rule`() {
        #expect(
            Self.violation.line
                == "2026-01-02T03:04:05.678Z shop/web 10.0.0.1 > 203.0.113.7 tcp 5433 refused at "
                + "egress (noRule), 1 packet, 60 bytes; policy sql (owner dba, SEC-9) at "
                + "policies/shop.yaml:7:3: port 5433 is not among 5432")
        let report = ViolationsReport(violations: [Self.violation], notRecorded: 2)
        #expect(
            report.text(width: nil) == """
                violations:
                LAST                      FROM               TO           SERVICE   REFUSED AT  REASON  PACKETS
                2026-01-02T03:04:05.678Z  shop/web 10.0.0.1  203.0.113.7  tcp 5433  egress      noRule        1
                    policy sql (owner dba, SEC-9) at policies/shop.yaml:7:3: port 5433 is not among 5432
                    fix: add port 5433 to the rule
                not recorded: 2 refused flows

                """)
        #expect(report.text(width: 80).contains("\nnot recorded: 2 refused flows\n"))
        #expect(report.text(width: 80).split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(ViolationsReport(violations: []).text(width: nil) == "violations: none\n")
    }

    @Test func `everything survives JSON, which is the same each time`() throws {
        let violations = ViolationsReport(violations: [Self.violation])
        #expect(try copy(Self.status) == Self.status)
        #expect(try copy(Self.counters) == Self.counters)
        #expect(try copy(violations) == violations)
        #expect(try ReportJSON.line(Self.status) == ReportJSON.line(Self.status))

        let line = String(decoding: try ReportJSON.line(Self.violation), as: UTF8.self)
        #expect(line.hasPrefix(#"{"bytes":60,"closest":{"fix":"add port 5433 to the rule","lack""#))
        #expect(line.contains(#""first":"2026-01-02T03:04:05.678Z""#))
        #expect(line.contains(#""ipProtocol":"tcp""#))
    }

    private func copy<Report: Codable>(_ report: Report) throws -> Report {
        try ReportJSON.read(Report.self, from: try ReportJSON.line(report))
    }
}
