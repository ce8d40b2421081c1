import Glibc
import HostFilter
import HostRules
import Linux
import NetTypes
import Policy
import Rules
import TestSupport

/// The host filter's programs, run on packets that are on no wire.
final class HostJudge {
    private let filter: HostFilter
    private let root: String
    /// How many states it was given.
    private var prepared = 0
    private static let hardwareAddress: [UInt8] = [2, 0, 0, 0, 0, 1]
    private static let otherHardwareAddress: [UInt8] = [2, 0, 0, 0, 0, 2]

    init() throws {
        var template = Array("/tmp/ringfence-bpf-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw SystemError("mkdtemp", code: errno)
        }
        root = String(cString: made)
        filter = try HostFilter(
            .init(root: root, host: 1), need: Self.small)
    }

    deinit {
        filter.removeAll()
        umount2(root, CInt(MNT_DETACH))
        rmdir(root)
    }

    /// A disagreement with the reference, in words; of a case where it is one packet's.
    struct Complaint {
        let item: Case?
        let text: String
    }

    /// The first disagreement: a packet's fate, the rule that is credited, or the reason.
    func complaint(about cases: [Case], _ state: EndpointState, in scene: Scene) throws
        -> Complaint?
    {
        let id = scene.endpoint.id
        try prepare(state, scene)
        let before = try (counts: filter.counts(of: id), totals: filter.totals(of: id))
        var tally = Tally()
        for item in cases {
            for step in item.steps where step.host != .unseen {
                if let text = try wrong(step, in: scene) {
                    return Complaint(item: item, text: text)
                }
                tally.note(step.host)
            }
            for flow in item.flows { try forget(flow, item.probe.direction, at: id) }
        }
        _ = try filter.takeRefusedFlows()
        let counts = try filter.counts(of: id)
        let totals = try filter.totals(of: id)
        let text =
            tally.miscount(counts, since: before.counts, state)
            ?? tally.miscount(totals, since: before.totals)
        return text.map { Complaint(item: cases.count == 1 ? cases[0] : nil, text: $0) }
    }

    /// What the host filter says to each packet, in words.
    func verdicts(on item: Case, _ state: EndpointState, in scene: Scene) throws -> [String] {
        try prepare(state, scene)
        let verdicts = try item.steps.map { step in
            guard step.host != .unseen else { return "not asked" }
            let before = try filter.totals(of: scene.endpoint.id)
            let run = try run(step, in: scene)
            let after = try filter.totals(of: scene.endpoint.id)
            let reasons = HostRefusal.allCases.filter { before[$0] != after[$0] }
            return run.passes ? "accepted" : "refused: \(reasons)"
        }
        for flow in item.flows { try forget(flow, item.probe.direction, at: scene.endpoint.id) }
        _ = try filter.takeRefusedFlows()
        return verdicts
    }

    /// Gives the maps other sizes in the midst of it all.
    private func resizeNowAndThen() throws {
        prepared += 1
        guard prepared % 25 == 0 else { return }
        try filter.resize(to: prepared % 50 == 0 ? Self.small : Self.large)
    }

    private static let small = Capacity(
        endpoints: 16, own: 64, peers: 4096, networks: 8192, shapes: 4096, admissions: 65_536,
        rules: 4096)

    private static let large = Capacity(
        endpoints: 4096, own: 1 << 18, peers: 1 << 18, networks: 1 << 18, shapes: 8192,
        admissions: 1 << 18, rules: 8192)

    private func prepare(_ state: EndpointState, _ scene: Scene) throws {
        try resizeNowAndThen()
        let id = scene.endpoint.id
        var senders: [UInt32: [IPAddress]] = [:]
        for endpoint in scene.topology.endpoints {
            senders[try filter.number(of: endpoint.id)] = endpoint.addresses
        }
        try filter.setLocals(scene.locals.mapValues { try filter.number(of: $0) })
        try filter.apply(HostEntries(state, senders: Senders(senders)), to: id)
        let post = Post(
            interface: 1, number: try filter.number(of: id),
            hardwareAddress: Self.hardwareAddress)
        try filter.declare(post, of: id)
    }

    private func run(_ step: Case.Step, in scene: Scene) throws -> HostFilter.Run {
        let sender = step.direction == .ingress ? scene.locals[step.packet.source] : nil
        let mark = try sender.map { filter.mark(ofSender: try filter.number(of: $0)) }
        return try filter.run(Self.frame(step), step.direction, mark: mark ?? 0)
    }

    private func wrong(_ step: Case.Step, in scene: Scene) throws -> String? {
        let run = try run(step, in: scene)
        let mark = filter.mark(ofSender: try filter.number(of: scene.endpoint.id))
        switch step.host {
        case .unseen: return nil
        case .refused(let reason):
            return run.passes ? "the host filter accepts, and should say \(reason)" : nil
        case .passes where !run.passes: return "the host filter refuses, and should accept"
        case .passes where step.direction == .egress && run.mark != mark:
            return "the packet passes without the mark of its endpoint"
        case .passes: return nil
        }
    }

    /// Makes the next packet the first of its flow again.
    private func forget(_ flow: Flow, _ direction: Direction, at id: NamespaceID) throws {
        let isIngress = direction == .ingress
        let (near, far) =
            isIngress ? (flow.destination, flow.source) : (flow.source, flow.destination)
        let isSwapped = isIngress && !flow.ipProtocol.isICMP
        try filter.forget(
            .init(
                local: near, localPort: isSwapped ? flow.destinationPort : flow.sourcePort,
                remote: far, remotePort: isSwapped ? flow.sourcePort : flow.destinationPort,
                ipProtocol: flow.ipProtocol.rawValue), at: id)
    }

    private static func frame(_ step: Case.Step) -> [UInt8] {
        let isIngress = step.direction == .ingress
        let type: [UInt8] = step.packet.source.family == .v4 ? [0x08, 0x00] : [0x86, 0xdd]
        return (isIngress ? hardwareAddress : otherHardwareAddress)
            + (isIngress ? otherHardwareAddress : hardwareAddress) + type + step.packet.bytes
    }
}

extension HostJudge {
    /// What the host filter should have counted.
    private struct Tally {
        var flows: [Credit: UInt64] = [:]
        var packets: [Credit: UInt64] = [:]
        var refusals: [HostRefusal: UInt64] = [:]

        mutating func note(_ fate: HostFate) {
            switch fate {
            case .unseen: return
            case .refused(let reason): refusals[reason, default: 0] += 1
            case .passes(let credit, let opensFlow):
                packets[credit, default: 0] += 1
                flows[credit, default: 0] += opensFlow ? 1 : 0
            }
        }

        func miscount(
            _ counts: [Mark: RuleCount], since before: [Mark: RuleCount], _ state: EndpointState
        ) -> String? {
            for entry in state.rules.entries {
                let credit = Credit(rule: entry.rule.id, direction: entry.rule.direction)
                let now = counts[entry.mark] ?? RuleCount()
                let then = before[entry.mark] ?? RuleCount()
                let found = (
                    now.flows - then.flows, now.traffic.packets - then.traffic.packets
                )
                let expected = (flows[credit] ?? 0, packets[credit] ?? 0)
                if found != expected {
                    return "the host filter credits \(credit) with \(found) flows and packets, "
                        + "and should with \(expected)"
                }
            }
            return nil
        }

        func miscount(
            _ totals: [HostRefusal: Count], since before: [HostRefusal: Count]
        ) -> String? {
            for reason in HostRefusal.allCases {
                let found = (totals[reason]?.packets ?? 0) - (before[reason]?.packets ?? 0)
                let expected = refusals[reason] ?? 0
                if found != expected {
                    return "the host filter refuses \(found) packets as \(reason), and should "
                        + "\(expected)"
                }
            }
            return nil
        }
    }
}
