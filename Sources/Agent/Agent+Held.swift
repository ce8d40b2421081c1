internal import AgentCore
internal import HostFilter
internal import Logging
internal import NetTypes
public import Reports

/// Links of the host at which no endpoint is any more.
extension Agent {
    /// Ends the guard of a held link, by an operator's word: everything passes there from then on.
    ///
    /// - Throws: `EnforcementProblem` where no such link is held; what the kernel refused.
    public func release(_ request: LinkReleaseRequest) throws {
        guard let link = guards.release(named: request.link) else {
            throw EnforcementProblem(
                .absent, "no link called '\(request.link)' is held",
                fix: "'ringfence status' lists the held links")
        }
        logger.notice("link released by an operator", metadata: ["link": "\(link.name)"])
        saveInHaste()
        guard let hostFilter else { return }
        try inHostNamespace { () throws(BPFError) in try hostFilter.release(link.interface) }
    }

    /// The held links, for people.
    var heldLinks: [HeldLinkStatus] {
        guards.held.values.sorted { $0.name < $1.name }.map { link in
            HeldLinkStatus(
                link: link.name,
                isClosed: hostFilter?.closedInterfaces.contains(link.interface) ?? false,
                reason: link.reason.description, since: link.since,
                tenant: link.occupant?.tenant, endpoint: link.occupant?.endpoint,
                addresses: link.occupant?.addresses ?? [])
        }
    }
}
