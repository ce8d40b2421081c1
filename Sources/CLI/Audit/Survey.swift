internal import Audit
internal import Linux
internal import NetTypes
internal import Policy

/// The namespaces of the machine and who lives in them, found without an agent.
struct Survey {
    let host: HostSurvey
    let topology: Topology
    /// A mount or a `/proc` path of each namespace.
    let paths: [NamespaceID: String]

    /// Looks at every namespace that the folders, the processes and the tenants' claims name.
    init(
        _ policies: PolicySet, folders: [String], pids: [Int32], hostNamespace: String?
    ) throws(SystemError) {
        host = try HostSurvey(
            folders: folders, pids: pids, policies: policies, hostNamespace: hostNamespace)
        topology = policies.topology(observed: host.namespaces, host: host.host)
        var paths: [NamespaceID: String] = [:]
        for namespace in host.namespaces {
            paths[namespace.id] =
                namespace.paths.first ?? namespace.pids.first.map { "/proc/\($0)/ns/net" }
        }
        self.paths = paths
    }
}
