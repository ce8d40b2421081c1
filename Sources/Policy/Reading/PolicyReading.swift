import NetTypes

extension DocumentReader {
    private static let policyKeys = [
        "apiVersion", "kind", "name", "owner", "ticket", "description", "expires", "from", "to",
        "allow",
    ]

    /// A document of the kind Policy.
    mutating func policy(_ node: SourceNode) -> PolicyDocument? {
        let what = "a Policy"
        guard let fields = fields(node, of: what, keys: Self.policyKeys, example: "kind: Policy")
        else { return nil }
        let header = header(fields)
        let from = require("from", in: fields, of: what, example: "from: [{tenant: NAME}]")
            .flatMap { peers($0, "from") }
        let to = require("to", in: fields, of: what, example: "to: [{tenant: NAME}]")
            .flatMap { peers($0, "to") }
        let allow = require(
            "allow", in: fields, of: what, example: "allow: [{protocol: PROTOCOL, ports: [PORT]}]",
            or: "delete the document if it allows nothing"
        )
        .map {
            services(
                $0, "allow", names: portNames(to),
                ifEmpty: "list what is allowed, or delete the policy")
        }
        guard let header, let from, let to, let allow else { return nil }
        checkEndpoints(from + to, fields)
        return .policy(
            header, rules: rules(header, from: from, to: to, allow),
            place: fields["name"]?.place ?? node.place)
    }

    private mutating func header(_ fields: Fields) -> PolicyHeader? {
        let name = require("name", in: fields, of: "a Policy", example: "name: shop-to-db")
            .flatMap { self.name($0, "name") }
        let owner = remark("owner", in: fields, upTo: 128)
        let ticket = remark("ticket", in: fields, upTo: 128)
        let summary = remark("description", in: fields, upTo: 4096)
        let expires = fields["expires"].flatMap { moment($0, "expires") }
        return name.map {
            PolicyHeader(
                name: $0, owner: owner, ticket: ticket, summary: summary, expires: expires)
        }
    }

    /// A moment to the second.
    ///
    /// A time needs the `Z`: what is meant in another zone would expire hours too late, and nobody
    /// would notice.
    private mutating func moment(_ node: SourceNode, _ what: String) -> Timestamp? {
        guard let text = text(node, what) else { return nil }
        let isForm = text.utf8.count == 10 || text.utf8.count == 20 && text.hasSuffix("Z")
        if isForm, let moment = Timestamp(text) { return moment }
        return report(
            "\(what) is \(text.quoted), and must be a day or a time in UTC",
            fix: "write it as \"2027-01-31\" (its first moment) or \"2027-01-31T18:00:00Z\"",
            at: node.place)
    }

    mutating func remark(
        _ key: String, in fields: Fields, upTo greatest: Int
    ) -> String? {
        guard let node = fields[key], let text = text(node, key) else { return nil }
        guard (1...greatest).contains(text.unicodeScalars.count) else {
            return report(
                "\(key) has \(text.unicodeScalars.count) characters, and must have 1 to \(greatest)",
                fix: text.isEmpty ? "delete '\(key)', or write something" : "shorten it",
                at: node.place)
        }
        return text
    }

    func portNames(_ to: [Peer]?) -> PortNames {
        guard let to else { return .unknown }
        let other = to.first { !$0.selectsEndpoints }
        return other.map { .undeclared(destination: "'\($0)' in 'to'") } ?? .declared(by: to)
    }

    private mutating func checkEndpoints(_ peers: [Peer], _ fields: Fields) {
        // A list with a broken peer has its own complaint, and nobody knows what it was to be.
        let written = [fields["from"], fields["to"]].reduce(0) { $0 + ($1?.items.count ?? 0) }
        guard peers.count == written, !peers.contains(where: \.selectsEndpoints) else { return }
        report(
            "neither 'from' nor 'to' names a tenant, so there is nothing to enforce",
            fix: "name the tenant whose endpoints the policy opens",
            at: fields.keyPlace("from") ?? fields.place)
    }

    /// One rule for each allowed service.
    func rules(
        _ header: PolicyHeader, from: [Peer], to: [Peer],
        _ services: [(service: Service, place: SourcePlace)]
    ) -> [Rule] {
        var numbering = RuleNumbering(policy: header.name, from: from, to: to)
        let (sources, destinations) = (PeerList(from), PeerList(to))
        return services.map { service, place in
            Rule(
                id: numbering.id(of: service), policy: header, from: sources, to: destinations,
                service: service, place: place)
        }
    }
}

extension SourceNode {
    /// A list's items.
    fileprivate var items: [SourceNode] {
        if case .list(let items) = content { items } else { [] }
    }
}
