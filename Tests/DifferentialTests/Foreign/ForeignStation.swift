import KernelReader
import Linux
import NetTypes
import Policy
import TestSupport
import Verifier

/// A namespace with somebody else's ruleset in it, and packets sent through.
final class ForeignStation {
    static let addresses = ["10.1.0.1", "fd00:1::1"]
    let station: Station
    let reader: RulesetReader
    private var number: UInt16 = 0
    /// The tun device is the second one that the namespace has.
    static let interfaces = [
        InterfaceName(index: 1, name: "lo"), InterfaceName(index: 2, name: Tunnel.name),
    ]

    init() throws {
        station = try Station(addresses: Self.addresses, .drop)
        let interface = try station.command.run("ip -o link show \(Tunnel.name)")
        guard interface.hasPrefix("2: ") else { throw Unexpected(what: interface) }
        reader = try RulesetReader(in: station.openNamespace())
    }

    struct Unexpected: Error { let what: String }

    /// Loads a ruleset in place of the one before; false where `nft` refuses it.
    func load(_ text: String) throws -> Bool {
        let before = try station.command.run("nft list tables")
        let flush = before.split(separator: "\n").filter { !$0.contains("observer") }
            .map { "delete \($0)" }.joined(separator: "\n")
        try station.command.run("nft -f -", input: flush + "\n")
        do {
            try station.command.run("nft -f -", input: text)
            return true
        } catch let failure as NamespaceCommand.Failure {
            refusal = failure.output
            return false
        }
    }

    private(set) var refusal = ""

    /// The ruleset without the table that only tells what came through.
    func ruleset() throws -> Ruleset {
        var ruleset = try reader.read()
        ruleset.tables.removeAll { $0.name == "observer" }
        return ruleset
    }

    /// Packets around the constants of the rulesets.
    func packets(_ count: Int, _ random: inout SeededGenerator) -> [Sent] {
        (0..<count).map { index in
            number = number == UInt16.max ? 1 : number + 1
            let direction: Direction = index % 2 == 0 ? .ingress : .egress
            let isV4 = random.once(in: 2)
            let own = IPAddress(Self.addresses[isV4 ? 0 : 1])
            let others = isV4 ? RandomRuleset.addresses4 : RandomRuleset.addresses6
            let other = IPAddress(random.pick(Array(others.dropFirst())))
            let source = (direction == .ingress ? other : own) ?? .v4(0)
            let destination = (direction == .ingress ? own : other) ?? .v4(0)
            let ipProtocol = random.pick([
                IPProtocol.tcp, .tcp, .udp, .udp, .sctp, isV4 ? .icmp : .icmpv6,
                IPProtocol(rawValue: 50),
            ])
            let message: UInt16 = isV4 ? 0x0800 : 0x8000
            let port = UInt16(random.pick(RandomRuleset.ports) + random.number(0...1))
            let flow = Flow(
                source: source, destination: destination, ipProtocol: ipProtocol,
                sourcePort: ipProtocol.hasPorts ? UInt16(40_000 + random.number(0...1)) : number,
                destinationPort: ipProtocol.hasPorts ? port : ipProtocol.isICMP ? message : 0)
            return Sent(
                packet: Packet(flow: flow, number: number), flow: flow, direction: direction)
        }
    }

    struct Sent {
        let packet: Packet
        let flow: Flow
        let direction: Direction

        var trial: TrialPacket {
            let hasTuple = flow.ipProtocol.hasPorts || flow.ipProtocol.isICMP
            return TrialPacket(
                direction: direction == .ingress ? .incoming : .outgoing, source: flow.source,
                destination: flow.destination, ipProtocol: flow.ipProtocol,
                sourcePort: hasTuple ? flow.sourcePort : 0,
                destinationPort: flow.destinationPort, interface: 2, bytes: packet.bytes)
        }
    }

    /// The packets of which something came through that should not have, or the other way round.
    func disagreements(_ sent: [Sent], _ trial: PacketTrial) throws -> (wrong: [String], open: Int)
    {
        for item in sent {
            try station.send(item.packet, item.direction)
            // Each is the first of its flow.
            try station.forgetFlows()
        }
        station.drain()
        let passed = try station.observer.passed()
        var wrong: [String] = []
        var open = 0
        for item in sent {
            let fates = trial.fates(of: item.trial)
            let found: PacketTrial.Fate =
                passed.contains(item.packet, item.direction) ? .passes : .dropped
            if fates.count > 1 { open += 1 }
            if !fates.contains(found) {
                wrong.append("\(item.direction) \(item.flow): kernel \(found), expected \(fates)")
            }
        }
        return (wrong, open)
    }
}
