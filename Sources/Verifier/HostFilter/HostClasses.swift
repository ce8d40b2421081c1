internal import NetTypes
internal import Policy

/// What the maps say to protocols and ports of one class of peers, as the programs look it up.
struct HostClass {
    /// By precedence: the first that is found and live decides.
    let admissions: [HostAdmission]

    /// - Parameters:
    ///   - all: Every admission of the class.
    ///   - shape: The prefix lengths that are asked for; 0 where no other than the full one is.
    ///   - isLive: Whether the slot holds the rule.
    init(
        _ all: [HostAdmission], shape: UInt32, isLive: (HostAdmission) -> Bool
    ) {
        let asked = all.compactMap { admission in
            Self.order(of: admission, shape).map { (order: $0, admission: admission) }
        }
        admissions = asked.filter { isLive($0.admission) }.sorted { $0.order < $1.order }
            .map(\.admission)
    }

    /// When an admission is asked for; nil where it never is.
    private static func order(of admission: HostAdmission, _ shape: UInt32) -> Int? {
        let bit: Int
        if admission.protocolBits == 8 {
            guard admission.portBits <= 16,
                admission.port & ~(0xffff << UInt16(16 - admission.portBits)) == 0
            else { return nil }
            bit = Int(admission.portBits)
            // Single ports come before everything.
            if bit == 16 { return 0 }
        } else {
            guard admission.protocolBits < 8, admission.portBits == 0, admission.port == 0,
                admission.ipProtocol & (0xff >> admission.protocolBits) == 0
            else { return nil }
            bit = 17 + Int(admission.protocolBits)
        }
        return shape >> UInt32(bit) & 1 == 1 ? 1 + bit : nil
    }

    /// Protocols that the admissions treat alike, each with the ports that they admit: segments
    /// stand for places in `admissions`.
    func cells(
        of protocols: IntervalSet<UInt128>
    ) -> [(protocols: IntervalSet<UInt128>, ports: RangeTable)] {
        var edges: Set<Int> = [0, 256]
        for admission in admissions {
            let range = admission.protocols
            edges.insert(range.lowerBound)
            edges.insert(range.upperBound + 1)
        }
        let sorted = edges.sorted()
        return zip(sorted, sorted.dropFirst()).compactMap { low, next in
            let cell = protocols.intersection(IntervalSet(UInt128(low)...UInt128(next - 1)))
            return cell.isEmpty ? nil : (cell, ports(of: low))
        }
    }

    private func ports(of ipProtocol: Int) -> RangeTable {
        RangeTable(
            lowestOf: admissions.enumerated().compactMap { place, admission in
                admission.protocols.contains(ipProtocol)
                    ? .init(range: admission.ports, place: place) : nil
            })
    }
}

extension HostAdmission {
    fileprivate var protocols: ClosedRange<Int> {
        let first = Int(ipProtocol)
        return first...(first | 0xff >> Int(protocolBits))
    }

    fileprivate var ports: ClosedRange<UInt128> {
        UInt128(port)...(UInt128(port) | 0xffff >> UInt128(portBits))
    }
}

/// First packets that can be: what protocols and ports, or kinds of messages, they have.
struct OpeningPackets {
    let protocols: IntervalSet<UInt128>
    let ports: IntervalSet<UInt128>

    /// Of a family and a direction, without those that are no flow's first or have other headers to follow.
    static func all(_ family: AddressFamily, _ direction: Direction) -> [OpeningPackets] {
        let message: UInt128 = family == .v4 ? 1 : 58
        let requests: [UInt128] = family == .v4 ? [8, 13, 15, 17] : [128, 139]
        let dhcp = DHCP.ports(family)
        let withPorts = set([6, 17, 132])
        // Extension headers are never the last one: RFC 8200, 4.1.
        let followed = family == .v6 ? set([0, 43, 44, 51, 60]) : IntervalSet()
        let others = IntervalSet<UInt128>(0...255).subtracting(withPorts)
            .subtracting(set([1, 58])).subtracting(followed)
        return [
            OpeningPackets(protocols: withPorts, ports: IntervalSet(0...0xffff)),
            OpeningPackets(
                protocols: set([message]),
                ports: IntervalSet(requests.map { $0 << 8...($0 << 8 | 0xff) })),
            OpeningPackets(protocols: others, ports: set([0])),
            // Messages of DHCP, which rules and maps know by a protocol of their own.
            OpeningPackets(
                protocols: set([UInt128(DHCP.ipProtocol.rawValue)]),
                ports: set([UInt128(direction == .egress ? dhcp.server : dhcp.client)])),
        ]
    }

    private static func set(_ numbers: [UInt128]) -> IntervalSet<UInt128> {
        IntervalSet(numbers.map { $0...$0 })
    }
}
