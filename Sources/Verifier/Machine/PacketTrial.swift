public import NetTypes

/// One packet that opens a flow, to be followed through a ruleset by itself.
public struct TrialPacket: Hashable, Sendable {
    public let direction: CounterexamplePacket.PacketDirection
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: IPProtocol
    /// What connection tracking keeps as ports; for ICMP the identifier, and type and code.
    public let sourcePort: UInt16
    public let destinationPort: UInt16
    /// The link that it comes from or goes to.
    public let interface: UInt32
    /// The whole packet from the IP header on.
    public let bytes: [UInt8]
    /// Whether connection tracking makes a flow of it.
    public let isTracked: Bool

    public init(
        direction: CounterexamplePacket.PacketDirection, source: IPAddress,
        destination: IPAddress, ipProtocol: IPProtocol, sourcePort: UInt16,
        destinationPort: UInt16, interface: UInt32, bytes: [UInt8], isTracked: Bool = true
    ) {
        self.direction = direction
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.interface = interface
        self.bytes = bytes
        self.isTracked = isTracked
    }
}

/// What a ruleset does with single packets.
public struct PacketTrial: Sendable {
    private let ruleset: FlatRuleset
    private let interfaces: [InterfaceName]
    private let local: AddressSet

    public init(_ ruleset: Ruleset, interfaces: [InterfaceName], local: [IPAddress]) {
        self.ruleset = FlatRuleset(ruleset)
        self.interfaces = interfaces
        self.local = AddressSet(local)
    }

    /// What can become of a packet.
    public enum Fate: Hashable, Sendable {
        case passes
        case dropped
        case unknown(String)
    }

    /// Every fate that the packet can have; more than one only where time or chance decides.
    public func fates(of packet: TrialPacket) -> Set<Fate> {
        var machine = machine(
            Scenario(
                family: packet.source.family, way: packet.direction,
                flow: packet.isTracked ? .first : .none))
        var fates: Set<Fate> = []
        machine.follow(space(of: packet, &machine)) { leaf in
            switch leaf.fate {
            case .passes: fates.insert(.passes)
            case .dropped: fates.insert(.dropped)
            case .unknown(let reason): fates.insert(.unknown(reason))
            }
        }
        return fates
    }

    /// What follows packets through the ruleset.
    func machine(_ scenario: Scenario) -> Machine {
        Machine(ruleset, scenario, interfaces: interfaces, local: local)
    }

    /// The packets of one kind: this one.
    func space(of packet: TrialPacket, _ machine: inout Machine) -> Space {
        var space = Space()
        let isV4 = packet.source.family == .v4
        let header = isV4 ? 20 : 40
        for (place, address) in [
            (Place.source, packet.source), (Place.destination, packet.destination),
        ] { space.set(place, .single(UInt128(networkBytes: address.bytes))) }
        space.set(Place.layer4, .single(UInt128(packet.ipProtocol.rawValue)))
        space.set(Place.hopLimit, .single(UInt128(packet.bytes[isV4 ? 8 : 7])))
        space.set(Place.flowSource, .single(UInt128(packet.sourcePort)))
        space.set(Place.flowDestination, .single(UInt128(packet.destinationPort)))
        let isOut = packet.direction == .outgoing
        space.set(Place.input, .single(isOut ? 0 : UInt128(packet.interface)))
        space.set(Place.output, .single(isOut ? UInt128(packet.interface) : 0))
        space.set(Place.packetMark, .single(0))
        space.set(Place.connectionStatus, .single(0))
        let state = machine.fields.number(of: .ct(0, 2), width: 4)
        let bit = packet.isTracked ? StateBit.new : StateBit.invalid
        space.set(state, .single(UInt128(bit)))
        space.set(machine.fields.number(of: .hasExtensions), .single(0))
        for (offset, byte) in packet.bytes.enumerated() {
            let field: Field =
                offset < header
                ? .payload(.network, offset: offset) : .payload(.transport, offset: offset - header)
            space.set(machine.fields.number(of: field), .single(UInt128(byte)))
        }
        let length = packet.bytes.count
        space.set(
            machine.fields.number(of: .length(.transport), width: 2),
            .single(UInt128(length - header)))
        space.set(
            machine.fields.number(of: .length(.network), width: 2), .single(UInt128(length)))
        space.set(machine.fields.number(of: .length(.link), width: 2), .single(0))
        space.set(machine.fields.number(of: .meta(0), width: 4), .single(UInt128(length)))
        return space
    }
}
