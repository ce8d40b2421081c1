public import NetTypes
public import Rules

/// What the host filter's maps hold of one endpoint: its compiled state, cut into exact keys and
/// prefixes.
///
/// It is made of the same state as the endpoint's table, so both layers judge alike; only who sent
/// a packet is known here by the veth that it came through, and not by its address.
public struct HostEntries: Hashable, Sendable {
    /// The addresses that the endpoint may send from.
    public var own: Set<IPAddress>
    /// Single addresses and senders.
    public var peers: [PeerKey: Mark]
    public var networks: [Prefix: Mark]
    /// Which prefix lengths the admissions of a class have: see `rf_shape`.
    public var shapes: [ShapeKey: UInt32]
    public var admissions: [AdmissionKey: Mark]
    /// The live rules.
    public var rules: Set<Mark>

    /// Who is on the other side.
    public struct PeerKey: Hashable, Sendable {
        /// The number of the endpoint that sends; 0 is an address without a known sender.
        public let sender: UInt32
        /// Nil is whatever address the sender has got by translation.
        public let address: IPAddress?

        public init(sender: UInt32, address: IPAddress?) {
            self.sender = sender
            self.address = address
        }
    }

    public struct ShapeKey: Hashable, Sendable {
        public let peerClass: Mark
        public let direction: Direction

        public init(peerClass: Mark, direction: Direction) {
            self.peerClass = peerClass
            self.direction = direction
        }
    }

    /// A block of protocols and ports.
    public struct AdmissionKey: Hashable, Sendable {
        public let peerClass: Mark
        public let direction: Direction
        public let ipProtocol: UInt8
        public let protocolBits: UInt8
        public let port: UInt16
        public let portBits: UInt8

        public init(
            peerClass: Mark, direction: Direction, ipProtocol: UInt8, protocolBits: UInt8,
            port: UInt16, portBits: UInt8
        ) {
            self.peerClass = peerClass
            self.direction = direction
            self.ipProtocol = ipProtocol
            self.protocolBits = protocolBits
            self.port = port
            self.portBits = portBits
        }
    }

    /// Nothing.
    public init() {
        own = []
        peers = [:]
        networks = [:]
        shapes = [:]
        admissions = [:]
        rules = []
    }

    /// - Parameters:
    ///   - state: What the endpoint's table holds, or would hold.
    ///   - senders: The addresses of every endpoint whose veth is guarded, ascending in each
    ///     family, with the endpoint's number.
    public init(_ state: EndpointState, senders: Senders) {
        self.init()
        own = Set(state.own)
        rules = Set(state.rules.marks)
        add(state.peers4, senders.v4) { .v4($0) }
        add(state.peers6, senders.v6) { .v6($0) }
        for direction in [Direction.ingress, .egress] {
            for admission in state.admissions(direction) { add(admission, direction) }
        }
    }

    private mutating func add<Number>(
        _ ranges: [PeerRange<Number>], _ senders: [Senders.Entry<Number>],
        _ address: (Number) -> IPAddress
    ) {
        var next = senders.startIndex
        for range in ranges {
            for (base, length) in range.addresses.prefixes {
                if length == Number.bitWidth {
                    peers[PeerKey(sender: 0, address: address(base))] = range.peerClass
                } else {
                    networks[Prefix(containing: address(base), length: length)] = range.peerClass
                }
            }
            while next < senders.endIndex, senders[next].address < range.addresses.lowerBound {
                next += 1
            }
            while next < senders.endIndex, senders[next].address <= range.addresses.upperBound {
                let sender = senders[next].endpoint
                peers[PeerKey(sender: sender, address: address(senders[next].address))] =
                    range.peerClass
                // Behind a translation a sender is what it is at its lowest address.
                let anywhere = PeerKey(sender: sender, address: nil)
                if peers[anywhere] == nil { peers[anywhere] = range.peerClass }
                next += 1
            }
        }
    }

    private mutating func add(_ admission: Admission, _ direction: Direction) {
        let isAnyPort = admission.ports == 0...UInt16.max
        for (ipProtocol, protocolBits) in admission.protocols.prefixes {
            if isAnyPort, protocolBits < 8 {
                add(admission, direction, ipProtocol, UInt8(protocolBits), 0, 0)
                continue
            }
            let last = ipProtocol | UInt8(truncatingIfNeeded: 0xff >> protocolBits)
            for single in ipProtocol...(protocolBits == 8 ? ipProtocol : last) {
                for (port, portBits) in admission.ports.prefixes {
                    add(admission, direction, single, 8, port, UInt8(portBits))
                }
            }
        }
    }

    private mutating func add(
        _ admission: Admission, _ direction: Direction, _ ipProtocol: UInt8, _ protocolBits: UInt8,
        _ port: UInt16, _ portBits: UInt8
    ) {
        let key = AdmissionKey(
            peerClass: admission.peerClass, direction: direction, ipProtocol: ipProtocol,
            protocolBits: protocolBits, port: port, portBits: portBits)
        admissions[key] = admission.rule
        let bit = protocolBits == 8 ? UInt32(portBits) : Self.protocolShapes + UInt32(protocolBits)
        shapes[ShapeKey(peerClass: admission.peerClass, direction: direction), default: 0] |=
            1 << bit
    }

    /// Where the bits of protocol prefixes begin: `RF_SHAPE_PROTOCOLS`.
    static let protocolShapes: UInt32 = 17
}

/// Who sends from which address, as far as it is known by the veth.
public struct Senders: Hashable, Sendable {
    public struct Entry<Number: FixedWidthInteger & Sendable>: Hashable, Sendable {
        public let address: Number
        /// The endpoint's number in the host filter.
        public let endpoint: UInt32
    }

    public private(set) var v4: [Entry<UInt32>] = []
    public private(set) var v6: [Entry<UInt128>] = []

    /// How many addresses there are.
    public var count: Int { v4.count + v6.count }

    /// - Parameter endpoints: The addresses of each endpoint by its number.
    public init(_ endpoints: [UInt32: [IPAddress]]) {
        for (number, addresses) in endpoints {
            for address in addresses {
                switch address {
                case .v4(let value): v4.append(Entry(address: value, endpoint: number))
                case .v6(let value): v6.append(Entry(address: value, endpoint: number))
                }
            }
        }
        v4.sort { ($0.address, $0.endpoint) < ($1.address, $1.endpoint) }
        v6.sort { ($0.address, $0.endpoint) < ($1.address, $1.endpoint) }
    }
}
