import NetTypes

extension PolicySet {
    /// What is right, and perhaps not meant: files and policies that open nothing.
    ///
    /// - Parameter includesExpired: Whether policies whose time is over are named as well.
    /// - Returns: In the order of the files.
    public func warnings(includesExpired: Bool = true) -> [Diagnostic] {
        files.values.flatMap { file in
            file.documents.isEmpty
                ? [file.emptiness] : file.documents.flatMap { warnings($0, includesExpired) }
        }
        .sorted { $0.place < $1.place }
    }

    private func warnings(_ document: PolicyDocument, _ includesExpired: Bool) -> [Diagnostic] {
        guard case .policy(let header, let rules, let place) = document else { return [] }
        if header.hasExpired, let expires = header.expires {
            let warning = Diagnostic(
                "policy '\(header.name)' expired at \(expires) and opens nothing",
                fix: "delete it, or set 'expires' to a later time", at: place)
            return includesExpired ? [warning] : []
        }
        guard let first = rules.first else { return [] }
        return (first.sources.parties + first.destinations.parties).compactMap { peer in
            emptiness(of: peer).map {
                Diagnostic("policy '\(header.name)': \($0.message)", fix: $0.fix, at: place)
            }
        }
    }

    /// Why a peer means no endpoint whatever namespaces there are; nil where it may mean one.
    private func emptiness(of peer: Peer) -> (message: String, fix: String)? {
        guard case .endpoints(of: let selector, let labels) = peer else { return nil }
        let selected: [Tenant] =
            switch selector {
            case .name(let name): tenants[name].map { [$0] } ?? []
            case .labels: tenants.values.filter(selector.matches)
            }
        if selected.isEmpty, case .labels(let wanted) = selector {
            return (
                "no tenant has the labels \(wanted), so this peer means none",
                "correct the selector, or give a tenant these labels"
            )
        }
        guard let labels, !selected.contains(where: { $0.mayHaveEndpoint(with: labels) }) else {
            return nil
        }
        return (
            "no claim of '\(selected.first?.name ?? "")' gives the labels \(labels): only announced"
                + " endpoints can have them",
            "correct the selector, or give 'labels' to an entry of the tenant's 'endpoints'"
        )
    }
}

extension Tenant {
    /// Whether some of the tenant's claims together give labels that are selected.
    fileprivate func mayHaveEndpoint(with selector: LabelSelector) -> Bool {
        let all = claims.reduce(into: Labels()) { $0.merge($1.labels) { $1 } }
        return ([[:], all] + claims.map(\.labels)).contains(where: selector.matches)
    }
}

extension PolicyFile {
    fileprivate var emptiness: Diagnostic {
        Diagnostic(
            "the file holds no document and opens nothing",
            fix: "delete the file, or write a Tenant or a Policy",
            at: SourcePlace(file: path, line: 1, column: 1))
    }

    /// Whether a file holds nothing but blanks, comments and marks of documents.
    ///
    /// - Parameter bytes: What the file holds.
    /// - Returns: True of an empty file as well.
    public static func isBlank(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: UInt8(ascii: "\n")).allSatisfy { line in
            let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
            guard let first = text.first, first != UInt8(ascii: "#") else { return true }
            return text.count == line.count && text.starts(with: "---".utf8)
                && text.dropFirst(3).allSatisfy { " \r".utf8.contains($0) }
        }
    }
}

extension Diagnostic {
    /// Says of a file with a name like a policy file's that it is none.
    ///
    /// - Parameter path: Where it lies.
    /// - Returns: The warning.
    public static func ignoredFile(_ path: String) -> Diagnostic {
        Diagnostic(
            "the file is not read: names of policy files end in .yaml or .yml, in small letters",
            fix: "rename it, or move it out of the policy directory",
            at: SourcePlace(file: path, line: 1, column: 1))
    }
}
