import NetTypes

extension DocumentReader {
    private static let peerExample = "- tenant: NAME"
    private static let everybody: Set = ["any", "all", "*", "everyone", "everything", "anyone"]
    private static let forms =
        "a peer is 'tenant: NAME', 'tenants: SELECTOR', 'cidr: NETWORK', 'world' or 'host'"

    /// The peers of `from` or `to`, at least one.
    mutating func peers(_ node: SourceNode, _ side: String) -> [Peer]? {
        let items = items(
            node, of: side, example: "\(side): [{tenant: NAME}]",
            ifEmpty: "list a peer, such as '\(Self.peerExample)'")
        return items.map { $0.compactMap { peer($0) } }
    }

    private mutating func peer(_ node: SourceNode) -> Peer? {
        switch node.text {
        case "world": return .world
        case "host": return .host
        case .some(let text): return refuseWord(text, at: node.place)
        case nil: break
        }
        guard
            let fields = fields(
                node, of: "a peer", keys: ["tenant", "tenants", "endpoints", "cidr", "except"],
                example: Self.peerExample),
            let subject = subject(of: fields)
        else { return nil }
        if subject.key == "cidr" {
            refuse("endpoints", in: fields, "only a tenant has endpoints")
            return network(fields, subject.value)
        }
        refuse("except", in: fields, "only a 'cidr' has exceptions")
        return endpoints(fields, subject)
    }

    private mutating func refuseWord(_ text: String, at place: SourcePlace) -> Peer? {
        let fix =
            switch ["world", "host"].nearest(to: text) {
            case .some(let word): "write '\(word)'"
            case nil where IPAddress(text) != nil || text.contains("/") || text.contains(":"):
                "write 'cidr: \(text)'"
            case nil where Self.everybody.contains(text.lowercased()):
                "name the tenants, or the networks by 'cidr'; 'tenants: all' means every tenant,"
                    + " and 'world' every address beyond this machine"
            case nil: "write 'tenant: \(text)' if it is a tenant"
            }
        return report("\(Self.forms), and here stands \(text.quoted)", fix: fix, at: place)
    }

    /// The entry that says what kind of peer it is.
    private mutating func subject(of fields: Fields) -> SourceNode.Entry? {
        let subjects = fields.entries.filter { ["tenant", "tenants", "cidr"].contains($0.key) }
        guard let subject = subjects.first else {
            if ["tenant", "tenants", "cidr"].contains(where: fields.hasSubstitute) { return nil }
            return report(
                "\(Self.forms), and none of them stands here",
                fix: fields.keyPlace("endpoints") == nil
                    ? "write '\(Self.peerExample)'" : "add 'tenant: NAME'",
                at: fields.place)
        }
        guard subjects.count == 1 else {
            return report(
                "a peer has one of tenant, tenants and cidr, and '\(subject.key)' stands already",
                fix: "make it two peers", at: subjects[1].keyPlace)
        }
        return subject
    }

    private mutating func refuse(_ key: String, in fields: Fields, _ reason: String) {
        guard let place = fields.keyPlace(key) else { return }
        report("'\(key)' can't stand here: \(reason)", fix: "delete '\(key)'", at: place)
    }

    private mutating func endpoints(_ fields: Fields, _ subject: SourceNode.Entry) -> Peer? {
        let tenants = subject.key == "tenant" ? named(subject.value) : selected(subject.value)
        let fix = "name a label; without 'endpoints' all endpoints of the tenant are meant"
        let endpoints = fields["endpoints"].map { selector($0, ifEmpty: fix) }
        guard let tenants else { return nil }
        return .endpoints(of: tenants, endpoints ?? nil)
    }

    private mutating func named(_ node: SourceNode) -> TenantSelector? {
        guard let name = name(node, "tenant") else { return nil }
        references.append(PolicyFile.Reference(kind: .tenant(name), place: node.place))
        return .name(name)
    }

    private mutating func selected(_ node: SourceNode) -> TenantSelector? {
        if node.text == "all" { return .labels(LabelSelector()) }
        if let text = node.text {
            return report(
                "tenants is \(text.quoted), and must be all or a selector",
                fix: Self.everybody.contains(text.lowercased())
                    ? "write a selector; 'tenants: all' means every tenant"
                    : "write 'tenant: \(text)'",
                at: node.place)
        }
        if let names = node.names {
            return report(
                "tenants is a list, and must be all or a selector",
                fix: "write " + names.map { "'- tenant: \($0)'" }.joined(separator: ", ")
                    + ", each as a peer of its own",
                at: node.place)
        }
        return selector(node, ifEmpty: "name a label; 'tenants: all' means every tenant")
            .map { .labels($0) }
    }
}

extension SourceNode {
    /// A short list of names; nil for anything else.
    fileprivate var names: [String]? {
        guard case .list(let items) = content, (1...8).contains(items.count) else { return nil }
        let names = items.compactMap(\.text).filter(NameForm.name.admits)
        return names.count == items.count ? names : nil
    }
}
