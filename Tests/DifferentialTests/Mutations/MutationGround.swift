import Compiler
import Foundation
import KernelReader
import Linux
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport
@testable import Verifier

/// A namespace whose table nobody owns, so that it can be changed and put right again.
final class MutationGround {
    let station: Station
    let scene: Scene
    let state: EndpointState
    private let index: PolicyIndex
    private let reader: ProofTests.Reader
    private let place: Int
    private let world: SmallWorld

    /// - Throws: What the kernel or `nft` refused; nil where the policies leave nothing to change.
    init?(_ station: Station, _ set: PolicySet, _ world: SmallWorld) throws {
        let topology = world.topology(of: set)
        guard let place = topology.endpoints.firstIndex(where: { $0.id == station.id }),
            let state = Compilation(of: set, for: topology).states[station.id],
            state.ingress.count + state.egress.count > 3
        else { return nil }
        self.station = station
        self.state = state
        self.place = place
        self.world = world
        scene = Scene(set, topology, at: topology.endpoints[place])
        index = PolicyIndex(set, in: topology)
        reader = try ProofTests.Reader(station)
        try restore()
    }

    /// Makes the table as an agent leaves it that has ended: nobody owns it any more.
    func restore() throws {
        try clear()
        let socket = try station.openNamespace().run { () throws(SystemError) in
            try NetfilterSocket()
        }
        _ = try EndpointTable(socket).apply(state.changes(from: nil), presence: .absent)
    }

    /// Takes away what was there: a table that outlives its owner can't be added once more.
    func clear() throws {
        for name in ["ringfence", "stranger"] {
            let table = "inet \(name)"
            try station.command.run(
                "nft list table \(table) >/dev/null 2>&1 || exit 0; nft delete table \(table)")
        }
    }

    /// Makes a change; false where `nft` can't make it.
    func make(_ mutation: Mutation) throws -> Bool {
        do {
            try station.command.run("nft -f -", input: mutation.commands + "\n")
            return true
        } catch is NamespaceCommand.Failure {
            return false
        }
    }

    /// The rules with their handles.
    func mutator() throws -> Mutator {
        var rules: [(String, String, Int)] = []
        var chain = ""
        for line in try station.command.run("nft -a list table inet ringfence")
            .split(separator: "\n")
        {
            let words = line.split(separator: " ").map { $0.trimmed }
            if words.first == "chain", words.count > 1 { chain = words[1] }
            guard !chain.isEmpty, line.hasPrefix("\t\t"), !line.contains("type filter"),
                let mark = line.range(of: " # handle "), let handle = Int(line[mark.upperBound...])
            else { continue }
            rules.append((chain, String(line[..<mark.lowerBound]).trimmed, handle))
        }
        return Mutator(state: state, rules: rules)
    }

    func audit(followsAll: Bool = false) throws -> EndpointAudit {
        EndpointProof(
            index, reader.subject(place, try reader.ruleset()), followsAll: followsAll
        ).result()
    }

    /// Whether random packets meet another fate than the policies say.
    func harm(_ count: Int, seed: UInt64) throws -> String? {
        var probes = RandomProbes(
            seed: seed, at: scene.endpoint, in: world, policies: scene.policies)
        let sent = (0..<count).compactMap { index -> (Packet, Probe)? in
            probes.probe(index % 2 == 0 ? .ingress : .egress).map {
                (Packet(flow: $0.flow, number: station.nextNumber(for: .plain)), $0)
            }
        }
        for (packet, probe) in sent {
            try station.send(packet, probe.direction)
            try station.forgetFlows()
        }
        station.drain()
        let passed = try station.observer.passed()
        return sent.first { packet, probe in
            passed.contains(packet, probe.direction) != scene.fate(of: probe).passes
        }.map { "\($0.1)" }
    }

    /// Whether a real packet does what a counterexample says; nil where it can't be tried.
    func confirms(_ finding: Finding, _ mutation: Mutation) throws -> Bool? {
        let packet = finding.packet
        guard packet.direction != .forwarded, finding.kind != .misattributes,
            packet.interface != "lo", packet.details.isEmpty, finding.kind != .changes,
            // What an endpoint without an address sends to all is not seen to pass here.
            packet.source != .v4(0)
        else { return nil }
        let port =
            packet.type.map { UInt16($0) << 8 | UInt16(packet.code ?? 0) }
            ?? packet.destinationPort ?? 0
        let flow = Flow(
            source: packet.source, destination: packet.destination,
            ipProtocol: packet.ipProtocol, sourcePort: packet.sourcePort ?? 0,
            destinationPort: port)
        let direction: Direction = packet.direction == .incoming ? .ingress : .egress
        switch packet.state {
        case .new: break
        case .established:
            guard try establish(flow, direction, packet.connectionMark ?? 0, mutation) else {
                return nil
            }
        default: return nil
        }
        let passes = try passes(flow, direction)
        try station.forgetFlows()
        if passes == finding.kernel.passes { return true }
        // To rules a flow without an answer is new at each packet.
        guard packet.state == .established else { return false }
        guard flow.ipProtocol == .udp,
            try establish(
                flow, direction, packet.connectionMark ?? 0, mutation, isAnswered: true)
        else { return nil }
        let passesOnceAnswered = try self.passes(flow, direction)
        try station.forgetFlows()
        return passesOnceAnswered == finding.kernel.passes
    }

    private func passes(_ flow: Flow, _ direction: Direction) throws -> Bool {
        let real = Packet(flow: flow, number: station.nextNumber(for: .plain))
        try station.send(real, direction)
        station.drain()
        return try station.observer.passed().contains(real, direction)
    }

    /// Makes the kernel know a flow with a mark, as if an earlier table had let it through.
    private func establish(
        _ flow: Flow, _ direction: Direction, _ mark: UInt32, _ mutation: Mutation,
        isAnswered: Bool = false
    ) throws -> Bool {
        try clear()
        let hook = direction == .ingress ? "prerouting" : "output"
        try station.command.run(
            "nft -f -",
            input: """
                table inet forge {
                  chain c { type filter hook \(hook) priority -150; ct mark set \(mark); }
                }
                """)
        let opening = Packet(
            flow: flow, number: station.nextNumber(for: .plain), life: .lasting)
        try station.send(opening, direction)
        if isAnswered {
            let answer = Packet(
                flow: flow.answer, number: station.nextNumber(for: .plain), life: .lasting)
            try station.send(answer, direction.reversed)
        }
        station.drain()
        _ = try station.observer.passed()
        try station.command.run("nft delete table inet forge")
        try restore()
        return try make(mutation)
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
