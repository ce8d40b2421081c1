public import Linux
public import NetTypes

/// A namespace that a probe works from and to.
public struct ProbePlace: Hashable, Sendable {
    public let name: String
    /// The namespace's mount.
    public let path: String
    public let addresses: [IPAddress]

    public init(name: String, path: String, addresses: [IPAddress]) {
        self.name = name
        self.path = path
        self.addresses = addresses
    }
}

/// Tries every way from each namespace to each other with real packets.
public struct Probe: Sendable {
    public var places: [ProbePlace]
    public var listeners: [LabListener]
    /// How long an answer may take before the way counts as blocked.
    public var patience = Duration.milliseconds(300)
    /// How many ways are tried at a time.
    public var breadth = 512

    public init(places: [ProbePlace], listeners: [LabListener]) {
        self.places = places
        self.listeners = listeners
    }

    /// Opens the listeners, tries all ways, and closes everything again.
    ///
    /// Where a program listens already, it has the word: any answer of it counts.
    public func matrix() throws(SystemError) -> ProbeMatrix {
        DescriptorLimit.raise()
        let run = try ProbeRun(patience: patience)
        for place in places {
            try run.listen(in: place, for: listeners)
        }
        var left = questions()[...]
        while !left.isEmpty {
            try run.ask(left.prefix(breadth))
            left = left.dropFirst(breadth)
        }
        return ProbeMatrix(
            outcomes: run.outcomes, names: places.map(\.name), listeners: listeners)
    }

    /// Every way, those from one source together.
    private func questions() -> [ProbeQuestion] {
        places.flatMap { source in
            places.filter { $0.name != source.name }.flatMap { destination in
                listeners.flatMap { listener in
                    AddressFamily.allCases.compactMap { family in
                        ProbeQuestion(source, destination, listener, family)
                    }
                }
            }
        }
    }
}

extension Lab {
    /// A probe of all namespaces of a lab that is up.
    public func probe(_ topology: LabTopology) throws(LabError) -> Probe {
        var places: [ProbePlace] = []
        for member in topology.namespaces {
            let path = try path(of: member.name)
            places.append(
                ProbePlace(name: member.name, path: path, addresses: member.addresses))
        }
        return Probe(places: places, listeners: topology.listeners)
    }
}

/// One way to try.
struct ProbeQuestion: Sendable {
    let key: ProbeMatrix.Question
    let path: String
    let target: SocketAddress

    /// None where one of the two has no address of the family.
    init?(
        _ source: ProbePlace, _ destination: ProbePlace, _ listener: LabListener,
        _ family: AddressFamily
    ) {
        guard source.addresses.contains(where: { $0.family == family }),
            let address = destination.addresses.first(where: { $0.family == family })
        else { return nil }
        key = ProbeMatrix.Question(
            source: source.name, destination: destination.name, listener: listener,
            family: family)
        path = source.path
        target = SocketAddress(address, port: listener.port)
    }
}
