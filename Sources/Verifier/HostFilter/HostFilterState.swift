internal import NetTypes

/// What the host filter holds, as it was read back from the kernel.
///
/// Addresses are as the programs have them: 128 bits, IPv4 mapped into IPv6.
public struct HostFilterState: Sendable {
    /// Where its maps are pinned.
    public var folder = ""
    /// How many entries each map has.
    public var counts: [String: Int] = [:]
    public var hooks: [HostHook] = []
    /// Interfaces that went away while their hooks were read.
    public var gone: Set<UInt32> = []
    /// By id: every program on a hook.
    public var programs: [UInt32: HostProgram] = [:]
    /// What the build at hand would attach; nil where it could not be loaded.
    public var reference: HostReference?
    /// What stands at interfaces, by their index.
    public var entries: [UInt32: HostEntry] = [:]
    /// What processors remember of interfaces and go by until the next change.
    public var remembered: [UInt32: Set<HostEntry>] = [:]
    /// By endpoint: the addresses that it may send from.
    public var own: [UInt32: Set<UInt128>] = [:]
    public var locals: Set<UInt128> = []
    public var peers: [HostPeerKey: UInt32] = [:]
    public var networks: [HostNetwork] = []
    public var shapes: [HostClassKey: UInt32] = [:]
    public var admissions: [HostClassKey: [HostAdmission]] = [:]
    /// By slot: the endpoint's number above the rule's mark.
    public var rules: [UInt32: UInt64] = [:]
    /// What the agent hashes flows with.
    public var flowSeeds: [UInt64] = []
    /// Those that the programs would find and that have not been idle for too long.
    public var flows: [HostFlow] = []
    /// Those that the programs would refuse again without a look at the policy.
    public var refusals: [HostFlow] = []
    /// What processors judged last and go by until the next change.
    public var judgements: Set<HostJudgement> = []

    public init() {}
}

/// What is known of an endpoint at its interface: `rf_endpoint`, as far as it decides.
public struct HostEntry: Hashable, Sendable {
    public let number: UInt32
    public let hardwareAddress: [UInt8]
    /// The addresses that it may send from; nil where the map of own addresses is asked.
    public let addresses: Set<UInt128>?
    /// All shapes of its admissions, by direction.
    public let ingressShapes: UInt32
    public let egressShapes: UInt32

    public init(
        number: UInt32, hardwareAddress: [UInt8], addresses: Set<UInt128>?, ingressShapes: UInt32,
        egressShapes: UInt32
    ) {
        self.number = number
        self.hardwareAddress = hardwareAddress
        self.addresses = addresses
        self.ingressShapes = ingressShapes
        self.egressShapes = egressShapes
    }
}

/// Whose rules, and who is on the other side: `rf_peer_key`.
public struct HostPeerKey: Hashable, Sendable {
    public let endpoint: UInt32
    /// The number of the endpoint that sends; 0 is nobody who is known.
    public let sender: UInt32
    /// 0 is whatever address the sender has got by translation.
    public let address: UInt128

    public init(endpoint: UInt32, sender: UInt32, address: UInt128) {
        self.endpoint = endpoint
        self.sender = sender
        self.address = address
    }
}

/// An entry of the trie of networks: `rf_network_key`, and the class.
public struct HostNetwork: Hashable, Sendable {
    /// The endpoint's number, with the highest bit for IPv4.
    public let endpoint: UInt32
    public let address: UInt128
    /// Of the 160 bits of both.
    public let length: Int
    public let peerClass: UInt32

    public init(endpoint: UInt32, address: UInt128, length: Int, peerClass: UInt32) {
        self.endpoint = endpoint
        self.address = address
        self.length = length
        self.peerClass = peerClass
    }
}

/// What admissions are looked up by, besides protocol and port.
public struct HostClassKey: Hashable, Sendable {
    public let endpoint: UInt32
    public let peerClass: UInt32
    public let isEgress: Bool

    public init(endpoint: UInt32, peerClass: UInt32, isEgress: Bool) {
        self.endpoint = endpoint
        self.peerClass = peerClass
        self.isEgress = isEgress
    }
}

/// A block of protocols and ports, and the rule that admits it: `rf_admission_key` and its value.
public struct HostAdmission: Hashable, Sendable {
    public let ipProtocol: UInt8
    public let protocolBits: UInt8
    public let port: UInt16
    public let portBits: UInt8
    public let slot: UInt32
    public let mark: UInt32

    public init(
        ipProtocol: UInt8, protocolBits: UInt8, port: UInt16, portBits: UInt8, slot: UInt32,
        mark: UInt32
    ) {
        self.ipProtocol = ipProtocol
        self.protocolBits = protocolBits
        self.port = port
        self.portBits = portBits
        self.slot = slot
        self.mark = mark
    }
}

/// A flow that the programs know, admitted or refused.
public struct HostFlow: Hashable, Sendable {
    public let endpoint: UInt32
    /// Whether the endpoint has called, or would.
    public let isEgress: Bool
    public let local: UInt128
    public let remote: UInt128
    public let ipProtocol: UInt8
    public let localPort: UInt16
    public let remotePort: UInt16
    /// The number of the endpoint on the other side; nil is not known.
    public let sender: UInt32?
    public let slot: UInt32
    public let mark: UInt32

    public init(
        endpoint: UInt32, isEgress: Bool, local: UInt128, remote: UInt128, ipProtocol: UInt8,
        localPort: UInt16, remotePort: UInt16, sender: UInt32?, slot: UInt32 = 0, mark: UInt32 = 0
    ) {
        self.endpoint = endpoint
        self.isEgress = isEgress
        self.local = local
        self.remote = remote
        self.ipProtocol = ipProtocol
        self.localPort = localPort
        self.remotePort = remotePort
        self.sender = sender
        self.slot = slot
        self.mark = mark
    }
}

/// What the next first packets are judged by without a look at the policy: `rf_judgement`.
public struct HostJudgement: Hashable, Sendable {
    /// Whatever its address and the caller's port are, which are 0 here; with the rule that admits it.
    public let flow: HostFlow
    public let isAdmitted: Bool

    public init(flow: HostFlow, isAdmitted: Bool) {
        self.flow = flow
        self.isAdmitted = isAdmitted
    }
}

/// An address as the programs have it.
enum HostAddress {
    /// ::ffff:0:0/96.
    static let mapped: ClosedRange<UInt128> = 0xffff_0000_0000...0xffff_ffff_ffff

    static func number(_ address: IPAddress) -> UInt128 {
        switch address {
        case .v4(let number): mapped.lowerBound | UInt128(number)
        case .v6(let number): number
        }
    }

    static func address(_ number: UInt128) -> IPAddress {
        mapped.contains(number) ? .v4(UInt32(truncatingIfNeeded: number)) : .v6(number)
    }

    /// All addresses of a family.
    static func all(_ family: AddressFamily) -> IntervalSet<UInt128> {
        let mapped = IntervalSet(mapped)
        return family == .v4 ? mapped : mapped.complement
    }

    /// As policies number the addresses of a family.
    static func plain(
        _ numbers: IntervalSet<UInt128>, _ family: AddressFamily
    ) -> IntervalSet<UInt128> {
        guard family == .v4 else { return numbers }
        return IntervalSet(
            numbers.ranges.lazy.map {
                ($0.lowerBound - mapped.lowerBound)...($0.upperBound - mapped.lowerBound)
            })
    }
}
