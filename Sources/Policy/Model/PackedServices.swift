internal import NetTypes

/// Services of a policy's rules; one range of ports, as most have, takes eight bytes and no object.
struct PackedServices: Sendable {
    private enum Entry {
        case ports(IPProtocol, UInt16, UInt16)
        /// The place in the list of the others.
        case other(UInt32)
    }

    private let entries: [Entry]
    private let others: [Service]

    init(_ services: [Service]) {
        var others: [Service] = []
        entries = services.map { service in
            if case .ports(let number, let ports, let names) = service, names.isEmpty,
                ports.ranges.count == 1
            {
                return .ports(number, ports.ranges[0].lowerBound, ports.ranges[0].upperBound)
            }
            others.append(service)
            return .other(UInt32(others.count - 1))
        }
        // Without the room that it grew into.
        self.others = Array(others[...])
    }

    subscript(_ index: Int) -> Service {
        switch entries[index] {
        case .ports(let number, let first, let last):
            .ports(number, IntervalSet(first...last), names: [])
        case .other(let place): others[Int(place)]
        }
    }
}
