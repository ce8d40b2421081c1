import NetTypes
import Yams

/// The lists of a lab file.
extension LabReader {
    mutating func namespaces(
        _ node: Node?, in parent: Node, subnets: [Prefix]
    ) -> [LabNamespace] {
        var drafts: [(node: Node, name: String, addresses: [IPAddress])] = []
        var names: Set<String> = []
        var taken = Set(subnets.compactMap(\.gateway))
        for item in items(node, key: "namespaces") {
            guard let fields = fields(of: item, named: "a namespace", keys: ["name", "addresses"]),
                let name = name(fields["name"], key: "name", in: item, limit: 60)
            else { continue }
            if !names.insert(name).inserted {
                report("'\(name)' is there twice", fix: "choose another name", at: item.mark)
            }
            var addresses: [IPAddress] = []
            for entry in items(fields["addresses"], key: "addresses") {
                guard let address = address(entry, key: "addresses", in: entry) else { continue }
                if taken.insert(address).inserted {
                    addresses.append(address)
                } else {
                    report("\(address) is taken", fix: "choose another address", at: entry.mark)
                }
            }
            drafts.append((item, name, addresses))
        }
        if drafts.isEmpty {
            report("the lab has no namespaces", fix: "list some", at: (node ?? parent).mark)
        }
        return give(subnets, to: drafts, taken: taken)
    }

    /// Gives an address of each subnet to those who name none.
    private mutating func give(
        _ subnets: [Prefix], to drafts: [(node: Node, name: String, addresses: [IPAddress])],
        taken: Set<IPAddress>
    ) -> [LabNamespace] {
        var plans = subnets.map { AddressPlan($0, taken: taken) }
        var namespaces: [LabNamespace] = []
        for draft in drafts {
            var addresses = draft.addresses
            if addresses.isEmpty {
                addresses = plans.indices.compactMap { plans[$0].take() }
                if addresses.count < max(plans.count, 1) {
                    report(
                        "no address is left for '\(draft.name)'", fix: "make the subnets larger",
                        at: draft.node.mark)
                }
            }
            namespaces.append(LabNamespace(name: draft.name, addresses: addresses))
        }
        return namespaces
    }

    mutating func listeners(_ node: Node?) -> [LabListener] {
        var listeners: [LabListener] = []
        for item in items(node, key: "listeners") {
            guard let fields = fields(of: item, named: "a listener", keys: ["protocol", "port"]),
                let ipProtocol = ipProtocol(fields["protocol"], in: item),
                let port = port(fields["port"], key: "port", in: item)
            else { continue }
            listeners.append(LabListener(ipProtocol, port: port))
        }
        return listeners
    }

    mutating func translations(_ node: Node?) -> [LabTranslation] {
        var translations: [LabTranslation] = []
        for item in items(node, key: "nat") {
            let keys = ["dnat", "snat", "masquerade"]
            guard let fields = fields(of: item, named: "a translation", keys: keys) else {
                continue
            }
            for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
                if let found = translation(key, value) { translations.append(found) }
            }
        }
        return translations
    }

    private mutating func translation(_ kind: String, _ node: Node) -> LabTranslation? {
        let keys = [
            "dnat": ["protocol", "address", "port", "to", "toPort"], "snat": ["from", "to"],
            "masquerade": ["from"],
        ]
        guard let fields = fields(of: node, named: "'\(kind)'", keys: keys[kind] ?? []) else {
            return nil
        }
        if kind == "dnat" { return destination(fields, node) }
        guard let network = prefix(fields["from"] ?? node, key: "from", nil) else { return nil }
        if kind == "masquerade" { return .masquerade(network) }
        return address(fields["to"], key: "to", in: node).map { .source(network, to: $0) }
    }

    private mutating func destination(_ fields: [String: Node], _ node: Node) -> LabTranslation? {
        guard let ipProtocol = ipProtocol(fields["protocol"], in: node),
            let from = address(fields["address"], key: "address", in: node),
            let port = port(fields["port"], key: "port", in: node),
            let to = address(fields["to"], key: "to", in: node),
            let toPort = self.port(fields["toPort"] ?? fields["port"], key: "toPort", in: node)
        else { return nil }
        return .destination(ipProtocol, from: from, port: port, to: to, toPort: toPort)
    }
}
