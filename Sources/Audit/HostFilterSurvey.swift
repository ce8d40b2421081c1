internal import Glibc
internal import HostFilter
internal import Linux
internal import NetTypes
internal import Policy
internal import Verifier

/// What the audit is to expect of the host filter.
public enum HostFilterUse: String, Hashable, Sendable, CaseIterable {
    /// It is proven where anything of it is there.
    case auto
    /// It is not looked at.
    case off
    /// It has to be there.
    case on
    /// It has to be there, and there are no tables inside the endpoints.
    case only
}

/// Finds the host ends of the endpoints' veths, and reads what stands there.
struct HostFilterSurvey {
    let index: PolicyIndex
    let survey: HostSurvey
    let root: String
    let use: HostFilterUse

    /// Nil where the host filter is not asked for, and nothing of it is there.
    func audit() -> HostFilterAudit? {
        let reader = HostFilterReader(root: root, host: survey.host.inode)
        guard use != .off, use != .auto || reader.isPresent else { return nil }
        let posts = posts
        do {
            let state = try read(reader, Set(posts.map { Int32(bitPattern: $0.interface) }))
            return HostFilterProof(
                index, state, at: posts, unguarded: unguarded, vanished: vanished(posts, state.gone)
            ).result()
        } catch {
            return HostFilterAudit(unproven: [
                Unproven(
                    reason: "the host filter could not be read: \(error)",
                    fix: "run the audit as root, and as the version that the agent has")
            ])
        }
    }

    /// Endpoints that went away together with an interface.
    private func vanished(_ posts: [HostPost], _ gone: Set<UInt32>) -> Set<Int> {
        let observed = Dictionary(
            survey.namespaces.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let doubtful = posts.filter { gone.contains($0.interface) }.map(\.endpoint)
        return Set(doubtful).filter { place in
            let id = index.topology.endpoints[place].id
            guard let known = observed[id] else { return false }
            do throws(SystemError) {
                return try HostSurvey.open(known.paths, known.pids).id != id
            } catch {
                return error.code == ENOENT || error.code == ESRCH || error.code == EINVAL
            }
        }
    }

    /// Links over which an endpoint can be reached, and of which no end is in the host namespace.
    private var unguarded: [HostFilterProof.Unguarded] {
        let ends = ends
        let observed = Dictionary(
            survey.namespaces.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        return index.topology.endpoints.enumerated().flatMap {
            place, endpoint -> [HostFilterProof.Unguarded] in
            guard let namespace = observed[endpoint.id] else { return [] }
            return namespace.interfaces.compactMap { interface in
                let leads =
                    switch interface.kind {
                    case nil: interface.name != "lo"
                    case "veth", "macvlan", "macvtap", "ipvlan", "ipvtap", "netkit": true
                    default: false
                    }
                guard leads, namespace.hostEnd(of: interface, among: ends) == nil else {
                    return nil
                }
                return .init(endpoint: place, interface: interface.name)
            }
        }
    }

    private var interfaces: [ObservedInterface] {
        survey.namespaces.first { $0.id == survey.host }?.interfaces ?? []
    }

    private func read(
        _ reader: HostFilterReader, _ posts: Set<Int32>
    ) throws -> HostFilterState {
        let names = Dictionary(
            interfaces.map { ($0.index, $0.name) }, uniquingKeysWith: { $1 })
        var outcome: Result<HostFilterState, BPFError>?
        try survey.openHost().run { () throws(SystemError) in
            do throws(BPFError) {
                outcome = .success(try reader.read(interfaces: names, posts: posts))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { throw SystemError("setns", code: 0) }
        return try outcome.get()
    }

    /// Every veth of an endpoint whose other end is in the host namespace.
    private var posts: [HostPost] {
        let ends = ends
        var holders: [[UInt8]: Set<NamespaceID>] = [:]
        for namespace in survey.namespaces {
            for interface in namespace.interfaces {
                holders[interface.hardwareAddress, default: []].insert(namespace.id)
            }
        }
        let observed = Dictionary(
            survey.namespaces.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        return index.topology.endpoints.enumerated().flatMap { place, endpoint -> [HostPost] in
            guard let namespace = observed[endpoint.id] else { return [] }
            return namespace.interfaces.compactMap { interface in
                guard let end = namespace.hostEnd(of: interface, among: ends) else { return nil }
                return HostPost(
                    endpoint: place, interface: UInt32(bitPattern: end.index), name: end.name,
                    hardwareAddress: interface.hardwareAddress,
                    isShared: holders[interface.hardwareAddress] != [endpoint.id]
                        || survey.isAtAnotherPort(interface.hardwareAddress, than: end))
            }
        }
    }

    /// The host's veths by index.
    private var ends: [Int32: ObservedInterface] {
        survey.namespaces.first { $0.id == survey.host }?.veths ?? [:]
    }
}
