public import NetTypes
public import Policy

/// Packets near the bounds of what the rules of one endpoint say.
public struct RandomProbes: Sendable {
    private var generator: SeededGenerator
    private let endpoint: Endpoint
    /// Addresses that the namespace has and the endpoint doesn't; packets to them stay inside.
    private let lost: Set<IPAddress>
    private let addresses: [AddressFamily: [IPAddress]]
    private let ports: [UInt16]
    private let messages: [IPProtocol: [UInt16]]

    public init(seed: UInt64, at endpoint: Endpoint, in world: SmallWorld, policies: PolicySet) {
        generator = SeededGenerator(seed: seed)
        self.endpoint = endpoint
        let held = world.namespaces.first { $0.id == endpoint.id }?.addresses ?? []
        lost = Set(held).subtracting(endpoint.addresses)
        let rules = policies.files.inOrder.flatMap(\.rules)
        let near = SmallWorld().addresses + rules.flatMap { ($0.from + $0.to).flatMap(\.bounds) }
        addresses = Dictionary(grouping: Set(near.flatMap(\.neighbours)).sorted(), by: \.family)
        let named = policies.tenants.values.flatMap(\.ports).map(\.port)
        let bounds = rules.flatMap { $0.service.portBounds } + named + [0, 1, 443, .max]
        ports = Set(bounds.flatMap { [$0 &- 1, $0, $0 &+ 1] }).sorted()
        messages = [
            .icmp: Self.messages(of: [8, 8, 8, 13, 15, 17, 0, 3, 5, 30]),
            .icmpv6: Self.messages(of: [128, 128, 128, 139, 1, 129, 4, 200]),
        ]
    }

    private static func messages(of types: [UInt16]) -> [UInt16] {
        types.flatMap { type in [0, 1, 2, 255].map { type << 8 | $0 } }
    }

    /// A packet whose far address a host may carry on the wire; nil when the endpoint has no
    /// address to be near.
    public mutating func probe(_ direction: Direction) -> Probe? {
        guard !endpoint.addresses.isEmpty else { return nil }
        let own = generator.pick(endpoint.addresses)
        let far = peer(own.family, direction)
        let number = ipProtocol(own.family)
        let source = direction == .egress ? own : far
        let destination = direction == .egress ? far : own
        let port = destinationPort(number)
        return Probe(
            direction: direction,
            flow: Flow(
                source: direction == .egress && generator.once(in: 40)
                    ? foreign(like: own) : source,
                destination: destination, ipProtocol: number,
                sourcePort: number.hasPorts || number.isICMP
                    ? UInt16(truncatingIfNeeded: generator.next()) : 0,
                destinationPort: port))
    }

    private mutating func peer(_ family: AddressFamily, _ direction: Direction) -> IPAddress {
        for _ in 0..<20 {
            let address =
                generator.once(in: 10)
                ? generator.address(inside: .all(family))
                : generator.pick(addresses[family] ?? [.v4(0x0a01_0002)])
            if address.canTravel(direction), !lost.contains(address) { return address }
        }
        return family == .v4 ? .v4(0xc000_0263) : .v6(0x2001_0db8 << 96 | 99)
    }

    /// An address that the endpoint doesn't have.
    private mutating func foreign(like own: IPAddress) -> IPAddress {
        let others = (addresses[own.family] ?? [])
            .filter { !endpoint.addresses.contains($0) && $0.canTravel(.ingress) }
        return others.isEmpty ? own : generator.pick(others)
    }

    private mutating func ipProtocol(_ family: AddressFamily) -> IPProtocol {
        switch generator.number(0...15) {
        case 0...4: .tcp
        case 5...8: .udp
        case 9...10: .sctp
        case 11...13: family == .v4 ? .icmp : .icmpv6
        case 14: family == .v4 ? .icmpv6 : .icmp
        // What IPv6 takes for extension headers (0, 43, 44, 51, 59, 60 and so on) has no place here.
        default:
            IPProtocol(rawValue: generator.pick([2, 4, 41, 47, 50, 89, 103, 115, 253, 254, 255]))
        }
    }

    private mutating func destinationPort(_ number: IPProtocol) -> UInt16 {
        if let messages = messages[number] { return generator.pick(messages) }
        guard number.hasPorts else { return 0 }
        return generator.once(in: 10)
            ? UInt16(truncatingIfNeeded: generator.next()) : generator.pick(ports)
    }
}

extension Peer {
    fileprivate var bounds: [IPAddress] {
        guard case .network(let prefix, let except) = self else { return [] }
        return ([prefix] + except).flatMap { prefix in
            prefix.addresses.v4.ranges.flatMap { [.v4($0.lowerBound), .v4($0.upperBound)] }
                + prefix.addresses.v6.ranges.flatMap { [.v6($0.lowerBound), .v6($0.upperBound)] }
        }
    }
}

extension IPAddress {
    fileprivate var neighbours: [IPAddress] {
        switch self {
        case .v4(let number): [.v4(number &- 1), self, .v4(number &+ 1)]
        case .v6(let number): [.v6(number &- 1), self, .v6(number &+ 1)]
        }
    }

    /// Whether the routing of a host takes the address as a source (ingress) or as a destination
    /// (egress) on an ordinary link.
    fileprivate func canTravel(_ direction: Direction) -> Bool {
        switch self {
        case .v4(let number):
            return number >> 24 != 0 && number >> 24 != 127
                && (direction == .egress || !isMulticastOrBroadcast)
        case .v6(let number):
            // ::/96 and the mapped addresses ::ffff:0:0/96 are for no wire.
            return number >> 48 != 0 && (direction == .egress || !isMulticastOrBroadcast)
        }
    }
}

extension Service {
    fileprivate var portBounds: [UInt16] {
        guard case .ports(_, let ports, _) = self else { return [] }
        return ports.ranges.flatMap { [$0.lowerBound, $0.upperBound] }
    }
}
