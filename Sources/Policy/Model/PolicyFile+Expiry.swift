public import NetTypes

extension PolicyFile {
    /// What the file means at a moment: a policy that has expired by then opens nothing.
    ///
    /// As a file is read nothing in it has expired, whatever it says; who enforces or judges passes it
    /// through here first.
    public func at(_ moment: Timestamp) -> PolicyFile {
        guard documents.contains(where: { $0.header.map { $0.at(moment) != $0 } ?? false }) else {
            return self
        }
        return PolicyFile(
            path: path, documents: documents.map { $0.at(moment) }, references: references)
    }

    /// The moments at which one of its policies expires.
    public var expiries: [Timestamp] { documents.compactMap { $0.header?.expires } }
}

extension PolicyDocument {
    fileprivate var header: PolicyHeader? {
        if case .policy(let header, _, _) = self { header } else { nil }
    }

    fileprivate func at(_ moment: Timestamp) -> PolicyDocument {
        guard case .policy(let header, let rules, let place) = self else { return self }
        let now = header.at(moment)
        return now == header ? self : .policy(now, rules: Rule.relabelled(rules, now), place: place)
    }
}
