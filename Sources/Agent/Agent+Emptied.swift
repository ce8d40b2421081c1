internal import AgentCore
internal import Linux
internal import Logging
internal import Policy

// Policy files that turn empty, and files that are none by their names.
extension Agent {
    /// How long a file that turned empty must stay so before its rules end.
    ///
    /// Some programs empty a file first and write it a moment later; a file that was meant to be emptied can
    /// wait that long.
    static let emptiedSettlingTime = Duration.seconds(1)

    /// Puts off what turned empty a moment ago, until it has stayed so.
    func waitForEmptied(
        _ changes: inout [String: PolicyInputs.Content], _ now: ContinuousClock.Instant
    ) {
        for (path, content) in changes {
            guard case .bytes(let bytes) = content, isReady, PolicyFile.isBlank(bytes),
                inputs.accepted.files[path]?.documents.isEmpty == false
            else {
                fileQueue.foundNotEmpty(path)
                continue
            }
            guard !fileQueue.foundEmpty(path, at: now, settlingIn: Self.emptiedSettlingTime)
            else { continue }
            changes[path] = nil
            snapshot.forget(path)
        }
    }

    /// Says which policies ended because their files hold no document any more.
    func tellEmptied(_ changed: some Sequence<String>, before: PolicySet) {
        for path in changed.sorted() {
            guard let old = before.files[path], !old.documents.isEmpty,
                inputs.accepted.files[path]?.documents.isEmpty == true
            else { continue }
            let names = old.documents.compactMap(\.name)
            let shown = names.prefix(20).joined(separator: ", ")
            logger.warning(
                "\(path): the file holds no document any more; what it opened is closed",
                metadata: [
                    "rules": "\(old.rules.count)",
                    "ended": "\(shown)\(names.count > 20 ? ", and \(names.count - 20) more" : "")",
                ])
        }
    }

    /// Names files that look like policy files and are none.
    func tellIgnored(since before: PolicyDirectory.Snapshot) {
        for path in Set(snapshot.ignored).subtracting(before.ignored).sorted().prefix(20) {
            logger.warning("\(Diagnostic.ignoredFile(path))")
        }
    }

    /// What the policy directory holds that may be meant otherwise.
    func policyWarnings() -> [Diagnostic] {
        // What is wrong with a file says more than what its last good content is short of.
        let inForce = inputs.accepted.warnings().filter { inputs.errors[$0.place.file] == nil }
        return snapshot.ignored.map(Diagnostic.ignoredFile) + inForce + endedClaims() + idleClaims()
    }
}

extension PolicyDocument {
    /// The name that reports use.
    fileprivate var name: String? {
        switch self {
        case .tenant(let tenant, _): "tenant \(tenant.name)"
        case .policy(let header, _, _): header.name
        case .assertion(let assertion): assertion.name
        }
    }
}
