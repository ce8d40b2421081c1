import NetTypes

/// Protocols and ports, with port names looked up.
struct Admitted: Hashable {
    /// Nil is every protocol.
    let ipProtocol: IPProtocol?
    /// The first 16 bits where messages have no ports; all where there are none.
    let ports: IntervalSet<UInt16>

    static let anything = Admitted(ipProtocol: nil, ports: .all)

    init(ipProtocol: IPProtocol?, ports: IntervalSet<UInt16>) {
        self.ipProtocol = ipProtocol
        self.ports = ports
    }

    /// What a service means to a destination that declares these names.
    init(_ service: Service, names declared: [NamedPort]) {
        switch service {
        case .any: self = .anything
        case .other(let number): self.init(ipProtocol: number, ports: .all)
        case .messages(let number, let messages):
            self.init(
                ipProtocol: number,
                ports: messages.isEmpty ? .all : IntervalSet(messages.map(\.range)))
        case .ports(DHCP.ipProtocol, let ports, _): self.init(ipProtocol: .udp, ports: ports)
        case .ports(let number, let ports, let names):
            let named = declared.filter { $0.ipProtocol == number && names.contains($0.name) }
                .map { $0.port...$0.port }
            self.init(
                ipProtocol: number,
                ports: ports.isEmpty && names.isEmpty ? .all : ports.union(IntervalSet(named)))
        }
    }

    /// What both cover; nil if that is nothing.
    func intersection(_ other: Admitted) -> Admitted? {
        guard let mine = ipProtocol else { return other.ports.isEmpty ? nil : other }
        guard let theirs = other.ipProtocol else { return ports.isEmpty ? nil : self }
        guard mine == theirs else { return nil }
        let common = ports.intersection(other.ports)
        return common.isEmpty ? nil : Admitted(ipProtocol: mine, ports: common)
    }
}

/// Which services a question is about.
enum ServiceFilter {
    case anything
    case among([Admitted])
    case outside([Admitted])

    /// Something that is asked about and covered; nil if there is nothing.
    func witness(in admitted: Admitted) -> (IPProtocol, UInt16)? {
        switch self {
        case .anything: return admitted.example
        case .among(let wanted):
            return wanted.lazy.compactMap { $0.intersection(admitted)?.example }.first
        case .outside(let allowed):
            let numbers = admitted.ipProtocol.map { [$0] } ?? IPProtocol.byFamiliarity
            for number in numbers {
                let left = allowed.reduce(admitted.ports) { left, entry in
                    entry.ipProtocol == nil || entry.ipProtocol == number
                        ? left.subtracting(entry.ports) : left
                }
                if !left.isEmpty { return Admitted(ipProtocol: number, ports: left).example }
            }
            return nil
        }
    }
}

extension Admitted {
    /// A protocol and a port that stand for the rest; no port 0 where there are others.
    var example: (IPProtocol, UInt16)? {
        guard let first = ports.ranges.first else { return nil }
        let number = ipProtocol ?? .tcp
        guard number.hasPorts else { return (number, number.isICMP ? echo(of: number) : 0) }
        if first.lowerBound > 0 { return (number, first.lowerBound) }
        return (number, first.upperBound > 0 ? 1 : ports.ranges.dropFirst().first?.lowerBound ?? 0)
    }

    private func echo(of number: IPProtocol) -> UInt16 {
        let request: UInt16 = number == .icmp ? 8 << 8 : 128 << 8
        return ports.contains(request) ? request : ports.ranges.first?.lowerBound ?? 0
    }
}

extension IPProtocol {
    /// Every protocol, the ones that people know first.
    static let byFamiliarity: [IPProtocol] = {
        let named = IPProtocol.named.map { $0.value }
        return named
            + (UInt8.min...UInt8.max).map { IPProtocol(rawValue: $0) }
            .filter { !named.contains($0) }
    }()
}
