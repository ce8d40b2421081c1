internal import Audit
internal import Policy
internal import Reports
internal import Verifier

/// Reads back what the kernel holds of every endpoint, and proves it against the policies.
struct KernelAudit {
    let policies: PolicySet
    let survey: Survey
    let hostFilter: HostFilterUse
    let bpfFileSystem: String

    /// The endpoints one by one; a namespace that can't be read is not proven.
    func result(_ progress: Progress) -> AuditResult {
        var result = HostAudit(
            of: policies, on: survey.host, hostFilter: hostFilter, bpfFileSystem: bpfFileSystem
        ).run { done, total in
            if done == total || done % 16 == 0 { progress.show("proved endpoint", done, of: total) }
        }
        progress.finish()
        result.unproven += survey.topology.conflicts.filter(\.isUndecided).map { Unproven($0) }
        return result
    }
}

extension Unproven {
    /// A claim that is nobody's, which no rule of a table tells.
    init(_ conflict: Conflict) {
        let words =
            switch conflict {
            case .sharedAddress(let address, let names):
                "\(address) is claimed by \(names.joined(separator: " and "))"
            case .outsidePinned(let address, let endpoint, let tenant):
                "\(address) of \(endpoint) lies outside the addresses of \(tenant)"
            case .insidePinned(let address, let endpoint, let tenant):
                "\(address) of \(endpoint) lies inside the addresses of \(tenant)"
            case .takenAddress(let address, let endpoint, _, let keeper):
                "\(address) of \(endpoint) is kept by \(keeper)"
            case .unroutedAddress(let address, let endpoint, _):
                "\(address) of \(endpoint) is not pinned, and the host has no route to it there"
            case .tooManyAddresses(let endpoint, _, let count, let most, _):
                "\(endpoint) has \(count) addresses, and the first \(most) count"
            case .sharedNamespace(let name, let tenants):
                "\(name) is claimed by \(tenants.joined(separator: " and "))"
            }
        self.init(reason: words, fix: "give it to one side only")
    }
}
