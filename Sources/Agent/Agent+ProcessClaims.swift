internal import Linux
internal import Logging
internal import NetTypes
internal import Policy

extension Agent {
    /// Keeps for a later agent which processes are claimed, before anything is concluded from that.
    func keepProcessClaims() {
        guard source.claims != keptClaims else { return }
        do {
            try claimsFile.write(source.claims)
            keptClaims = source.claims
        } catch {
            // The next look tries again; until then a restart may take a stranger for the process.
            logger.error("claims of processes can't be kept for the next start: \(error)")
        }
    }

    /// What was said just now of a process means the one that there is now, whatever an earlier process of the number
    /// was; but what a policy file says of the number stays bound to that one.
    func renewClaim(of place: Announcement.Place) {
        guard case .pid(let pid) = place else { return }
        let claimed = inputs.accepted.tenants.values.flatMap(\.claims).map(\.target)
        guard !claimed.contains(.pid(pid)), !configuration.pids.contains(pid) else { return }
        source.renewClaim(of: pid)
    }

    /// Claims of processes in policy files that have ended.
    func endedClaims() -> [Diagnostic] {
        inputs.accepted.tenants.values.flatMap(\.claims).compactMap { claim in
            guard case .pid(let pid) = claim.target, source.claims.hasEnded(pid) else { return nil }
            return Diagnostic(
                "process \(pid) has ended, and so has the claim to its namespace",
                fix: "delete the entry; for a new process of that number, add it again afterwards",
                at: claim.place)
        }
        .sorted { $0.place < $1.place }
    }

    /// Claims that mean the host's own namespace, which is no endpoint, or a file where no namespace is mounted.
    func idleClaims() -> [Diagnostic] {
        let host = self.host.map { source.found([$0]).flatMap(\.paths) } ?? []
        let ofHost = host.flatMap { path in
            inputs.accepted.claims(ofMounts: [path]).map { claim in
                Diagnostic(
                    "'\(path)' is the host's own namespace, which is never an endpoint: nothing is enforced there",
                    fix: "claim other names", at: claim.place)
            }
        }
        let ofNothing = source.others.sorted().flatMap { path in
            inputs.accepted.claims(ofMounts: [path]).map { claim in
                Diagnostic(
                    "'\(path)' is claimed, and no network namespace is mounted there",
                    fix: "delete it, or mount the namespace again", at: claim.place)
            }
        }
        return ofHost + ofNothing
    }
}
