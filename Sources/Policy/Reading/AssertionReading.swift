extension DocumentReader {
    private static let claims = Assertion.Claim.allCases.map(\.rawValue)
    private static let assertionKeys =
        ["apiVersion", "kind", "name", "owner", "description", "controls"] + claims

    /// A document of the kind Assertion.
    mutating func assertion(_ node: SourceNode) -> PolicyDocument? {
        let what = "an Assertion"
        guard
            let fields = fields(
                node, of: what, keys: Self.assertionKeys, example: "kind: Assertion")
        else { return nil }
        let name = require("name", in: fields, of: what, example: "name: dev-stays-out")
            .flatMap { self.name($0, "name") }
        let owner = remark("owner", in: fields, upTo: 128)
        let summary = remark("description", in: fields, upTo: 4096)
        let controls = fields["controls"].map { self.controls($0) } ?? []
        guard let claim = claim(of: fields), let name,
            let kind = Assertion.Claim(rawValue: claim.key),
            let parts = parts(of: claim.value, kind)
        else { return nil }
        return .assertion(
            Assertion(
                name: name, owner: owner, summary: summary, controls: controls, claim: kind,
                from: parts.from, to: parts.to, services: parts.services,
                isTransitive: parts.isTransitive, place: fields["name"]?.place ?? node.place))
    }

    private mutating func controls(_ node: SourceNode) -> [String] {
        let items = items(
            node, of: "controls", example: "controls: [nist-800-53/AC-4]",
            ifEmpty: "list a control, or delete 'controls'")
        return (items ?? []).compactMap { name($0, "a control", .control) }
    }

    /// The one entry that says what has to hold.
    private mutating func claim(of fields: Fields) -> SourceNode.Entry? {
        let claims = fields.entries.filter { Self.claims.contains($0.key) }
        guard let claim = claims.first else {
            return report(
                "an Assertion needs \(Self.claims.alternatives)",
                fix: "add 'noPath: {from: [{tenant: NAME}], to: [{tenant: NAME}]}'",
                at: fields.place)
        }
        guard claims.count == 1 else {
            return report(
                "an Assertion claims one thing, and '\(claim.key)' stands already",
                fix: "make it two Assertions", at: claims[1].keyPlace)
        }
        return claim
    }

    private struct Parts {
        let from: [Peer]
        let to: [Peer]
        let services: [Service]
        let isTransitive: Bool
    }

    private mutating func parts(of node: SourceNode, _ claim: Assertion.Claim) -> Parts? {
        let example = "\(claim): {from: [{tenant: NAME}], to: [{tenant: NAME}]}"
        guard
            let fields = fields(
                node, of: "\(claim)", keys: ["from", "to", "over", "transitive"], example: example)
        else { return nil }
        let from = require("from", in: fields, of: "\(claim)", example: "from: [{tenant: NAME}]")
            .flatMap { peers($0, "from") }
        let to = require("to", in: fields, of: "\(claim)", example: "to: [{tenant: NAME}]")
            .flatMap { peers($0, "to") }
        let over = over(in: fields, of: claim, names: portNames(to))
        let isTransitive = fields["transitive"].map { flag($0, "transitive") } ?? false
        guard let from, let to, let over, let isTransitive else { return nil }
        checkParties(from + to, fields)
        return Parts(from: from, to: to, services: over, isTransitive: isTransitive)
    }

    private mutating func over(
        in fields: Fields, of claim: Assertion.Claim, names: PortNames
    ) -> [Service]? {
        guard let node = fields["over"] else {
            guard claim == .reachable else { return [] }
            return report(
                "reachable needs 'over'", fix: "add 'over: [{protocol: tcp, ports: [443]}]'",
                at: fields.place)
        }
        return services(
            node, "over", entry: "an entry of over", names: names,
            ifEmpty: "list a service, or delete 'over' for anything"
        ).map(\.service)
    }

    private mutating func flag(_ node: SourceNode, _ what: String) -> Bool? {
        if case .scalar(let text, isPlain: true) = node.content, text == "true" || text == "false" {
            return text == "true"
        }
        return report(
            "\(what) is \(node.found), and must be true or false",
            fix: "write '\(what): true', without quotes", at: node.place)
    }

    private mutating func checkParties(_ peers: [Peer], _ fields: Fields) {
        let written = [fields["from"], fields["to"]].reduce(0) { count, node in
            guard let node, case .list(let items) = node.content else { return count }
            return count + items.count
        }
        guard peers.count == written, !peers.contains(where: \.selectsEndpoints) else { return }
        report(
            "neither 'from' nor 'to' names a tenant, so no endpoint is asked",
            fix: "name the tenant that the assertion is about",
            at: fields.keyPlace("from") ?? fields.place)
    }
}
