import Glibc
import Linux
import NetTypes
import Nftables
import Rules
import Synchronization
import Testing

extension KernelTests {
    /// Whatever the kernel answers, and wherever in a conversation: the table is never half open,
    /// and the next try brings it where it should be.
    @Suite struct NetlinkFaultTests {
        @Test(arguments: SocketCall.allCases, [EPERM, EEXIST, ENOSPC, EBUSY, ENOBUFS, EINTR])
        func `each call fails once`(_ call: SocketCall, _ code: CInt) throws {
            var reached = 0
            for number in 0..<100 {
                let faults = Faults(call, code, number)
                try creation(under: faults)
                let isReachedByChange = try change(under: faults)
                guard faults.wasMet || isReachedByChange else { break }
                reached += 1
            }
            // The last number is one that no call has.
            #expect(reached > 3 && reached < 100)
        }

        /// A table that comes into being.
        private func creation(under faults: Faults) throws {
            let table = try Self.table(faults)
            faults.arm()
            let outcome = Result {
                try table.apply(Self.first.changes(from: nil), presence: .absent)
            }
            faults.disarm()
            try settle(table, Self.first, after: outcome, from: nil)
        }

        /// A change of one that is in force; answers whether the fault was met.
        private func change(under faults: Faults) throws -> Bool {
            let table = try Self.table(faults)
            _ = try table.apply(Self.first.changes(from: nil), presence: .absent)
            faults.arm()
            let outcome = Result {
                try table.apply(
                    Self.second.changes(from: Self.first), presence: .owned, witness: { _, _ in })
            }
            faults.disarm()
            let reading = try #require(try table.read())
            #expect(reading.isIntact, "\(faults)")
            let known = Set(Self.first.rules.entries + Self.second.rules.entries)
            #expect(known.isSuperset(of: reading.state.rules.entries), "\(faults)")
            try settle(table, Self.second, after: outcome, from: reading)
            return faults.wasMet
        }

        private func settle(
            _ table: borrowing EndpointTable, _ wanted: EndpointState,
            after outcome: Result<EndpointTable.Retired, any Error>, from known: TableReading?
        ) throws {
            let reading = try table.read()
            if case .success = outcome { #expect(reading?.state == wanted) }
            let held = reading.flatMap { $0.isIntact ? $0.state : nil }
            let presence: EndpointTable.Presence =
                reading.map { $0.isIntact ? .owned : .damaged } ?? .absent
            _ = try table.apply(wanted.changes(from: held), presence: presence)
            let after = try table.read()
            #expect(after?.isIntact == true)
            #expect(after?.state == wanted)
            #expect(after?.owner == table.port)
        }

        private static func table(_ faults: Faults) throws -> EndpointTable {
            let namespace = try NetworkNamespace.temporary()
            return EndpointTable(
                try namespace.run { () throws(SystemError) in try NetfilterSocket(faults: faults) })
        }

        /// A rule stays, one changes what it opens, and one comes whose range covers the port of one
        /// that goes.
        private static let first = state([(1, 80...80), (2, 90...90), (3, 100...103)])
        private static let second = state([(1, 80...80), (3, 101...103), (4, 88...95)])

        private static func state(
            _ rules: [(hash: UInt64, ports: ClosedRange<UInt16>)]
        ) -> EndpointState {
            let peers = Mark.peerClass(hash: 7)
            let admissions = rules.map {
                Admission(
                    peerClass: peers, protocols: 6...6, ports: $0.ports,
                    rule: .rule(hash: $0.hash))
            }.sorted()
            return EndpointState(
                own: [.v4(0x0a00_0001)],
                peers4: [PeerRange(addresses: 0x0a00_0002...0x0a00_0003, peerClass: peers)],
                ingress: admissions,
                rules: RuleTable(
                    rules.map {
                        (
                            mark: Mark.rule(hash: $0.hash),
                            rule: LiveRule(
                                policy: "p", id: RuleID(rawValue: $0.hash), direction: .ingress)
                        )
                    }))
        }
    }
}

/// One error at one call.
private final class Faults: SocketFaults, CustomStringConvertible {
    private let call: SocketCall
    private let code: CInt
    private let number: Int
    private let state = Mutex((isArmed: false, seen: 0, wasMet: false))

    init(_ call: SocketCall, _ code: CInt, _ number: Int) {
        self.call = call
        self.code = code
        self.number = number
    }

    /// Counts from here.
    func arm() { state.withLock { $0 = (true, 0, $0.wasMet) } }

    func disarm() { state.withLock { $0.isArmed = false } }

    var wasMet: Bool { state.withLock { $0.wasMet } }

    func error(at call: SocketCall) -> CInt? {
        state.withLock { state in
            guard state.isArmed, call == self.call else { return nil }
            defer { state.seen += 1 }
            guard state.seen == number else { return nil }
            state.wasMet = true
            return code
        }
    }

    var description: String { "errno \(code) at \(call) \(number)" }
}
