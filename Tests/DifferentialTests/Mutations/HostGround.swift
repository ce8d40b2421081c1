import CBPF
import Compiler
import Glibc
import HostRules
import Linux
import NetTypes
import Policy
import TestSupport
@testable import HostFilter
@testable import Verifier

/// A host namespace with a veth for every endpoint of some policies, and the host filter as an
/// agent leaves it.
final class HostGround {
    private(set) var filter: HostFilter
    let attachment: HostFilter.Attachment
    let topology: Topology
    let policies: PolicySet
    let root: String
    var folder: String { filter.folder }
    private let world: SmallWorld
    private let index: PolicyIndex
    private let configuration: HostFilter.Configuration
    private let namespace: NetworkNamespace
    /// A veth of the host that is no endpoint's.
    static let stray: Int32 = 300
    private(set) var posts: [HostPost] = []
    private var stood: [Post: NamespaceID] = [:]
    private var number: UInt16 = 1
    private static let otherLink: [UInt8] = [2, 0, 0, 0, 0, 2]

    init?(
        _ set: PolicySet, _ world: SmallWorld, _ attachment: HostFilter.Attachment = .auto
    ) throws {
        self.attachment = attachment
        let topology = world.topology(of: set)
        guard topology.endpoints.count > 1 else { return nil }
        self.topology = topology
        self.world = world
        policies = set
        index = PolicyIndex(set, in: topology)
        var template = Array("/tmp/ringfence-bpf-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError("mkdtemp", code: errno) }
        root = String(cString: made)
        namespace = try NetworkNamespace.temporary()
        let places = topology.endpoints.indices
        try NamespaceCommand(namespace).run(
            places.map {
                "ip link add v\($0) index \(100 + $0) type veth peer name p\($0) index \(200 + $0)"
            }
            .joined(separator: "\n")
                + "\nip link add stray index \(Self.stray) type veth peer name away")
        configuration = .init(
            root: root, host: namespace.id.inode, attachment: attachment)
        filter = try HostFilter(configuration, need: Self.need)
        try fill()
    }

    static let need = Capacity(
        endpoints: 16, own: 64, peers: 4096, networks: 8192, shapes: 4096, admissions: 65_536,
        rules: 2048)

    /// Another agent takes over, and makes larger maps where it needs them.
    func restart(need: Capacity = HostGround.need) throws {
        filter = try HostFilter(configuration, need: need)
        if filter.capacity.shortage(for: need) != nil {
            try inHost { try self.filter.resize(to: self.filter.capacity.grown(for: need)) }
        }
        posts = []
        stood = [:]
        try fill()
    }

    deinit {
        filter.removeAll()
        umount2(root, CInt(MNT_DETACH))
        rmdir(root)
    }

    private func fill() throws {
        let states = Compilation(of: policies, for: topology).states
        var senders: [UInt32: [IPAddress]] = [:]
        var locals: [IPAddress: UInt32] = [:]
        for endpoint in topology.endpoints {
            let number = try filter.number(of: endpoint.id)
            senders[number] = endpoint.addresses
            for address in endpoint.addresses { locals[address] = number }
        }
        try filter.setLocals(locals)
        for (place, endpoint) in topology.endpoints.enumerated() {
            guard let state = states[endpoint.id] else { continue }
            try filter.apply(HostEntries(state, senders: Senders(senders)), to: endpoint.id)
            let link: [UInt8] = [2, 0, 0, 0, 1, UInt8(place)]
            posts.append(
                HostPost(
                    endpoint: place, interface: UInt32(100 + place), name: "v\(place)",
                    hardwareAddress: link, isShared: false))
            let post = Post(
                interface: Int32(100 + place), number: try filter.number(of: endpoint.id),
                hardwareAddress: link)
            stood[post] = endpoint.id
        }
        try stand()
    }

    /// Puts the programs where they belong.
    func stand() throws {
        let failures = try inHost { try self.filter.guardPosts(self.stood) }
        if let first = failures.values.first { throw first }
    }

    /// Does something in the host namespace.
    func inHost<Outcome>(_ body: () throws -> Outcome) throws -> Outcome {
        var outcome: Result<Outcome, any Error>?
        try namespace.run { () throws(SystemError) in outcome = Result { try body() } }
        guard let outcome else { throw SystemError("setns", code: 0) }
        return try outcome.get()
    }

    func link(_ post: HostPost, _ direction: Direction) -> String {
        let side = direction == .egress ? "from" : "to"
        return "\(filter.links)/\(post.interface)-\(side)"
    }

    func audit() throws -> HostFilterAudit {
        let reader = HostFilterReader(root: root, host: namespace.id.inode)
        let guarded = Set(posts.map { Int32($0.interface) })
        let state = try inHost { try reader.read(interfaces: self.names, posts: guarded) }
        return proof(of: state)
    }

    func proof(of state: HostFilterState) -> HostFilterAudit {
        HostFilterProof(index, state, at: posts).result()
    }

    /// The host's interfaces.
    private var names: [Int32: String] {
        Dictionary(uniqueKeysWithValues: posts.map { (Int32($0.interface), $0.name) })
            .merging([Self.stray: "stray"]) { $1 }
    }

    /// One attempt to read, step by step.
    func reading() throws -> HostFilterReading {
        let folders = MapFolders(home: "\(root)/ringfence/\(namespace.id.inode)")
        return try HostFilterReading(folders, names, Set(posts.map { Int32($0.interface) }))
    }

    /// Runs a command in the host namespace.
    func run(_ command: String) throws { try NamespaceCommand(namespace).run(command) }

    /// Whether random packets meet another fate than the policies say.
    func harm(_ count: Int, seed: UInt64) throws -> String? {
        for post in posts {
            let scene = Scene(policies, topology, at: topology.endpoints[post.endpoint])
            var probes = RandomProbes(
                seed: seed &+ UInt64(post.endpoint), at: scene.endpoint, in: world,
                policies: policies)
            for index in 0..<count {
                guard let probe = probes.probe(index % 2 == 0 ? .ingress : .egress) else {
                    continue
                }
                let fate = scene.fate(of: probe)
                if fate == .loopback { continue }
                let sender =
                    probe.direction == .ingress ? scene.locals[probe.flow.source] : nil
                let mark = try sender.map { filter.mark(ofSender: try filter.number(of: $0)) }
                let passes = try passes(probe.flow, probe.direction, post, mark ?? 0)
                try forget(probe, post)
                if passes != (scene.hostRefusal(of: probe, fate) == nil) {
                    return "\(probe) at \(post.name)"
                }
            }
        }
        _ = try filter.takeRefusedFlows()
        return nil
    }

    /// Whether a run of the program says what a counterexample says; nil where it can't be tried.
    func confirms(_ finding: HostFilterFinding) throws -> Bool? {
        guard let packet = finding.packet, let policy = finding.policy,
            finding.kind != .misattributes,
            let post = posts.first(where: { $0.name == finding.interface })
        else { return nil }
        let isEgress = packet.direction == .outgoing
        let port =
            packet.type.map { UInt16($0) << 8 | UInt16(packet.code ?? 0) }
            ?? packet.destinationPort ?? 0
        let flow = Flow(
            source: packet.source, destination: packet.destination,
            ipProtocol: packet.ipProtocol, sourcePort: packet.sourcePort ?? 0,
            destinationPort: port)
        let mark = packet.details.first.flatMap {
            UInt32($0.suffix(while: \.isHexDigit), radix: 16)
        }
        let probe = Probe(direction: isEgress ? .egress : .ingress, flow: flow)
        if packet.state == .new, finding.place.hasPrefix("refused") == false {
            try forget(probe, post)
            _ = try filter.takeRefusedFlows()
        }
        let passes = try passes(flow, probe.direction, post, mark ?? 0)
        try forget(probe, post)
        return passes != policy.passes
    }

    private func passes(
        _ flow: Flow, _ direction: Direction, _ post: HostPost, _ mark: UInt32
    ) throws -> Bool {
        number = number == .max ? 1 : number + 1
        let type: [UInt8] = flow.source.family == .v4 ? [0x08, 0x00] : [0x86, 0xdd]
        let (own, other) = (post.hardwareAddress, Self.otherLink)
        let frame =
            (direction == .ingress ? own + other : other + own) + type
            + Packet(flow: flow, number: number).bytes
        return try inHost {
            try self.filter.run(
                frame, direction, interface: Int32(post.interface), mark: mark
            ).passes
        }
    }

    private func forget(_ probe: Probe, _ post: HostPost) throws {
        let (flow, isIngress) = (probe.flow, probe.direction == .ingress)
        let (near, far) =
            isIngress ? (flow.destination, flow.source) : (flow.source, flow.destination)
        let isSwapped = isIngress && !flow.ipProtocol.isICMP
        try filter.forget(
            .init(
                local: near, localPort: isSwapped ? flow.destinationPort : flow.sourcePort,
                remote: far, remotePort: isSwapped ? flow.sourcePort : flow.destinationPort,
                ipProtocol: flow.ipProtocol.rawValue),
            at: topology.endpoints[post.endpoint].id)
    }
}

extension StringProtocol {
    fileprivate func suffix(while isWanted: (Character) -> Bool) -> String {
        String(reversed().prefix(while: isWanted).reversed())
    }
}
