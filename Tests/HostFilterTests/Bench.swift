import Foundation
import Glibc
import HostFilter
import HostRules
import Linux
import NetTypes
import Rules

/// The programs with one endpoint: 10.0.0.1 and fd00::1, which may call TCP 80, SCTP 5000, DCCP, UDP-Lite and
/// ICMP echo and timestamp of 10.0.0.2 and fd00::2, and whom they may call at UDP 53 and TCP 443.
final class TestBench {
    let filter: HostFilter
    private let root: String
    let endpoint = NamespaceID(device: 0, inode: 1)
    private let peer = NamespaceID(device: 0, inode: 2)

    init(identityMask: UInt32 = 0xffff_0000) throws {
        var template = Array("/tmp/ringfence-bpf-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError("mkdtemp", code: errno) }
        root = String(cString: made)
        filter = try HostFilter(
            .init(root: root, host: 1, identityMask: identityMask), need: Capacity(endpoints: 4))
        let number = try filter.number(of: endpoint)
        let other = try filter.number(of: peer)
        let addresses: [UInt32: [IPAddress]] = [number: Frame.own, other: Frame.peers]
        try filter.setLocals([
            Frame.own[0]: number, Frame.own[1]: number, Frame.peers[0]: other,
            Frame.peers[1]: other,
        ])
        try filter.apply(
            HostEntries(Self.state, senders: Senders(addresses)), to: endpoint)
        try filter.apply(
            HostEntries(EndpointState(own: Frame.peers), senders: Senders(addresses)), to: peer)
        try filter.declare(
            Post(interface: 1, number: number, hardwareAddress: Frame.ownLink), of: endpoint)
    }

    deinit {
        filter.removeAll()
        umount2(root, CInt(MNT_DETACH))
        rmdir(root)
    }

    /// The mark of packets that the peer has sent.
    var peerMark: UInt32 { filter.mark(ofSender: filter.knownNumber(of: peer) ?? 0) }

    /// Nil if the frame passes, else why not.
    func refusal(
        of frame: [UInt8], _ direction: Direction, mark: UInt32? = nil
    ) throws -> HostRefusal? {
        let before = try filter.totals(of: endpoint)
        let run = try filter.run(
            frame, direction, mark: mark ?? (direction == .ingress ? peerMark : 0))
        let after = try filter.totals(of: endpoint)
        let moved = HostRefusal.allCases.filter { before[$0] != after[$0] }
        precondition(run.passes ? moved.isEmpty : moved.count == 1, "one count for one packet")
        return moved.first
    }

    /// How a frame is dropped for which nobody is blamed; nothing is kept or counted of it elsewhere.
    func overhearing(_ frame: [UInt8], mark: UInt32? = nil) throws -> HostOverheard? {
        let before = try (
            refused: filter.totals(of: endpoint), flows: filter.refusedFlows(),
            overheard: filter.overheard(by: endpoint)
        )
        let run = try filter.run(frame, .ingress, mark: mark ?? peerMark)
        let after = try filter.overheard(by: endpoint)
        let isBlamed =
            try filter.totals(of: endpoint) != before.refused
            || filter.refusedFlows() != before.flows
        precondition(!run.passes && !isBlamed, "a frame that is nobody's attempt")
        return HostOverheard.allCases.first { before.overheard[$0] != after[$0] }
    }

    /// Takes the endpoint away, and gives its number to another.
    func forget() throws {
        _ = try filter.remove(endpoint)
        _ = try filter.number(of: endpoint)
    }

    /// Nobody stands at the interface any more.
    func undeclare() throws { _ = try filter.guardPosts([:]) }

    /// How many packets were refused for a reason.
    func total(_ reason: HostRefusal) throws -> UInt64 {
        try filter.totals(of: endpoint)[reason]?.packets ?? 0
    }

    /// Opens so many TCP ports from 1000 on, every other one, to the peer, beside what is open.
    func open(_ count: Int) throws {
        let (peerClass, rule) = (Mark(rawValue: 7), Mark(rawValue: Mark.ruleBit | 1))
        var state = Self.state
        state.egress = (0..<count).map { number in
            let port = UInt16(1000 + 2 * number)
            return Admission(
                peerClass: peerClass, protocols: 6...6, ports: port...port, rule: rule)
        }
        try filter.apply(HostEntries(state, senders: senders), to: endpoint)
    }

    /// Fills the table of admissions for somebody else, or empties it.
    func crowd(_ count: Int) throws {
        let rule = Mark(rawValue: Mark.ruleBit | 9)
        var state = EndpointState(own: Frame.peers)
        state.egress = (0..<count).map { number in
            let port = UInt16(1000 + 2 * number)
            return Admission(
                peerClass: Mark(rawValue: 8), protocols: 6...6, ports: port...port, rule: rule)
        }
        state.rules = RuleTable([
            (rule, LiveRule(policy: "p", id: RuleID(rawValue: 9), direction: .egress))
        ])
        try filter.apply(HostEntries(state, senders: senders), to: peer)
    }

    private var senders: Senders {
        let pairs = [(endpoint, Frame.own), (peer, Frame.peers)].compactMap { id, addresses in
            filter.knownNumber(of: id).map { ($0, addresses) }
        }
        return Senders(Dictionary(uniqueKeysWithValues: pairs))
    }

    /// What a next agent takes over.
    func successor(identityMask: UInt32 = 0xffff_0000) throws -> HostFilter {
        try HostFilter(
            .init(root: root, host: 1, identityMask: identityMask), need: Capacity(endpoints: 4))
    }

    /// Where maps are pinned.
    var folders: [String] {
        let home = root + "/ringfence/1"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? []
        return names.filter { $0.hasPrefix("maps-") }.sorted()
    }

    /// Gives the endpoint other addresses.
    func setOwn(_ addresses: [IPAddress]) throws {
        var state = Self.state
        state.own = addresses
        try apply(state)
    }

    /// Lets the endpoint call TCP at some ports of its peer as well.
    func admit(_ ports: ClosedRange<UInt16>) throws {
        var state = Self.state
        guard let web = state.egress.first(where: { $0.protocols == 6...6 }) else { return }
        state.egress.append(
            Admission(
                peerClass: web.peerClass, protocols: 6...6, ports: ports, rule: web.rule))
        try apply(state)
    }

    /// Lets the endpoint look for DHCP servers, and the peer answer as one.
    func admitDHCP() throws {
        var state = Self.state
        let search = Mark(rawValue: 9)
        guard let peerClass = state.ingress.first?.peerClass, let rule = state.rules.marks.first
        else { return }
        func message(_ peerClass: Mark, _ port: UInt16) -> Admission {
            Admission(peerClass: peerClass, protocols: 0...0, ports: port...port, rule: rule)
        }
        let group = UInt128(0xff02) << 112 | 0x1_0002
        state.peers4.append(PeerRange(addresses: .max ... .max, peerClass: search))
        state.peers6.append(PeerRange(addresses: group...group, peerClass: search))
        state.ingress += [message(peerClass, 68), message(peerClass, 546)]
        state.egress += [message(search, 67), message(search, 547)]
        try filter.apply(HostEntries(state, senders: senders), to: endpoint)
    }

    /// The policy that it began with.
    func restore() throws { try apply(Self.state) }

    /// Other rules take the place of those that it began with, and admit the same.
    func succeed(_ step: UInt32) throws {
        func next(_ mark: Mark) -> Mark { Mark(rawValue: mark.rawValue + 16 * step) }
        func next(_ admissions: [Admission]) -> [Admission] {
            admissions.map {
                Admission(
                    peerClass: $0.peerClass, protocols: $0.protocols, ports: $0.ports,
                    rule: next($0.rule))
            }
        }
        var state = Self.state
        state.ingress = next(state.ingress)
        state.egress = next(state.egress)
        state.rules = RuleTable(state.rules.entries.map { (next($0.mark), $0.rule) })
        try filter.apply(HostEntries(state, senders: senders), to: endpoint)
    }

    private func apply(_ state: EndpointState) throws {
        try filter.apply(HostEntries(state, senders: Senders([:])), to: endpoint)
    }

    /// Ends every rule, as when its policy is gone.
    func revoke() throws {
        var closed = EndpointState(own: Frame.own)
        closed.peers4 = Self.state.peers4
        closed.peers6 = Self.state.peers6
        try filter.apply(HostEntries(closed, senders: Senders([:])), to: endpoint)
    }

    private static let state: EndpointState = {
        let peerClass = Mark(rawValue: 7)
        let rules = (1...4).map { Mark(rawValue: Mark.ruleBit | $0) }
        func admit(_ ipProtocol: UInt8, _ ports: ClosedRange<UInt16>, _ rule: Mark) -> Admission {
            Admission(
                peerClass: peerClass, protocols: ipProtocol...ipProtocol, ports: ports, rule: rule)
        }
        return EndpointState(
            own: Frame.own,
            peers4: [PeerRange(addresses: 0x0a00_0002...0x0a00_0002, peerClass: peerClass)],
            peers6: [
                PeerRange(
                    addresses: Frame.peer6...Frame.peer6, peerClass: peerClass)
            ],
            ingress: [admit(6, 443...443, rules[3]), admit(17, 53...53, rules[2])],
            egress: [
                admit(1, 0x0800...0x08ff, rules[1]), admit(1, 0x0d00...0x0d00, rules[1]),
                admit(6, 80...80, rules[0]), admit(58, 0x8000...0x80ff, rules[1]),
                admit(132, 5000...5000, rules[1]), admit(33, 0...65535, rules[1]),
                admit(136, 0...65535, rules[1]),
            ],
            rules: RuleTable(
                rules.enumerated().map { index, mark in
                    (
                        mark,
                        LiveRule(
                            policy: "p", id: RuleID(rawValue: UInt64(index)),
                            direction: index < 2 ? .egress : .ingress)
                    )
                }))
    }()
}
