internal import NetTypes
internal import Policy

/// A service with its port names resolved: boxes of protocols and ports.
struct ResolvedService: Hashable {
    struct Box: Hashable {
        let protocols: ClosedRange<UInt8>
        let ports: ClosedRange<UInt16>
    }

    let boxes: [Box]

    /// Resolves the names by the ports that the destination's tenant declares.
    init(_ service: Service, names declared: [NamedPort]) {
        switch service {
        case .any:
            boxes = [Box(protocols: 0...255, ports: 0...65535)]
        case .other(let number):
            boxes = [Box(protocols: number.only, ports: 0...65535)]
        case .messages(let number, let messages):
            let ranges = messages.isEmpty ? .all : IntervalSet(messages.map(\.range))
            boxes = ranges.ranges.map { Box(protocols: number.only, ports: $0) }
        case .ports(let number, let ports, let names):
            let named = declared.filter { $0.ipProtocol == number && names.contains($0.name) }
            let all = ports.isEmpty && names.isEmpty
            let ranges = all ? .all : ports.union(IntervalSet(named.map { $0.port...$0.port }))
            boxes = ranges.ranges.map { Box(protocols: number.only, ports: $0) }
        }
    }

    func hash(into digest: inout Digest) {
        for box in boxes {
            digest.combine(box.protocols.lowerBound)
            digest.combine(box.protocols.upperBound)
            digest.combine(box.ports.lowerBound)
            digest.combine(box.ports.upperBound)
        }
    }
}

extension IPProtocol {
    fileprivate var only: ClosedRange<UInt8> { rawValue...rawValue }
}

extension Service {
    /// Whether the ports depend on who is called.
    var hasNames: Bool {
        if case .ports(_, _, let names) = self { !names.isEmpty } else { false }
    }
}
