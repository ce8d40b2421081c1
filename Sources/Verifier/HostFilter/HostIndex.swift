internal import NetTypes
internal import Policy

/// An endpoint's interface with the host end of its veth, as discovery finds them.
public struct HostPost: Hashable, Sendable {
    /// The endpoint's place in the topology.
    public let endpoint: Int
    /// The host end's index in the host namespace.
    public let interface: UInt32
    public let name: String
    /// Of the endpoint's side.
    public let hardwareAddress: [UInt8]
    /// Whether anybody else on the host has the same link-layer address.
    public let isShared: Bool

    public init(
        endpoint: Int, interface: UInt32, name: String, hardwareAddress: [UInt8], isShared: Bool
    ) {
        self.endpoint = endpoint
        self.interface = interface
        self.name = name
        self.hardwareAddress = hardwareAddress
        self.isShared = isShared
    }
}

/// What the maps hold, arranged by endpoint, beside who should be who.
struct HostIndex {
    let state: HostFilterState
    /// By place in the topology: the number that an endpoint's packets are judged by.
    private(set) var numbers: [Int: UInt32] = [:]
    /// By number: the endpoints at whose interfaces it stands.
    private(set) var holders: [UInt32: Set<Int>] = [:]
    /// By place: the addresses that the endpoint has.
    private(set) var addresses: [Int: Set<UInt128>] = [:]
    /// All addresses of guarded endpoints.
    private(set) var locals: Set<UInt128> = []
    private var peersOf: [UInt32: [(key: HostPeerKey, peerClass: UInt32)]] = [:]
    private var networksOf: [UInt32: [HostNetwork]] = [:]
    /// Those that are so wide that they hold for several endpoints.
    private var wide: [HostNetwork] = []

    init(_ state: HostFilterState, _ posts: [HostPost], _ policies: PolicyIndex) {
        self.state = state
        for post in posts {
            let own = policies.topology.endpoints[post.endpoint].addresses
            addresses[post.endpoint] = Set(own.map(HostAddress.number))
            let known =
                state.entries[post.interface] ?? state.remembered[post.interface]?.first
            guard let known else { continue }
            numbers[post.endpoint] = min(numbers[post.endpoint] ?? .max, known.number)
            holders[known.number, default: []].insert(post.endpoint)
        }
        locals = addresses.values.reduce(into: []) { $0.formUnion($1) }
        for (key, peerClass) in state.peers where peerClass != 0 {
            peersOf[key.endpoint, default: []].append((key, peerClass))
        }
        for network in state.networks {
            if network.length < 32 {
                wide.append(network)
            } else {
                networksOf[network.endpoint, default: []].append(network)
            }
        }
    }

    func peers(of endpoint: UInt32) -> [(key: HostPeerKey, peerClass: UInt32)] {
        peersOf[endpoint] ?? []
    }

    /// The networks that an endpoint's addresses of a family are looked up in, the longest first.
    func networks(
        of endpoint: UInt32, _ family: AddressFamily
    ) -> [(range: ClosedRange<UInt128>, peerClass: UInt32)] {
        let word = family == .v4 ? endpoint | 1 << 31 : endpoint
        let meant = wide.filter { ($0.endpoint ^ word) >> UInt32(32 - $0.length) == 0 }
        return ((networksOf[word] ?? []) + meant).sorted { $0.length > $1.length }.map {
            let free: UInt128 = $0.length <= 32 ? .max : UInt128.max >> UInt128($0.length - 32)
            let low = $0.address & ~free
            return (low...(low | free), $0.peerClass)
        }
    }

    /// The class of a sender at an address, or of an address by itself; 0 is none.
    func peerClass(at endpoint: UInt32, sender: UInt32, _ address: UInt128) -> UInt32 {
        state.peers[HostPeerKey(endpoint: endpoint, sender: sender, address: address)] ?? 0
    }

    func isLive(_ slot: UInt32, _ mark: UInt32, at endpoint: UInt32) -> Bool {
        let rule = UInt64(endpoint) << 32 | UInt64(mark)
        return rule != 0 && state.rules[slot] == rule
    }
}
