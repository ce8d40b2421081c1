import NetTypes

extension DocumentReader {
    private static let tenantKeys = [
        "apiVersion", "kind", "name", "labels", "endpoints", "addresses", "ports", "internal",
        "world", "host", "dhcp",
    ]

    /// A document of the kind Tenant.
    mutating func tenant(_ node: SourceNode) -> PolicyDocument? {
        let what = "a Tenant"
        guard let fields = fields(node, of: what, keys: Self.tenantKeys, example: "kind: Tenant")
        else { return nil }
        let named = require("name", in: fields, of: what, example: "name: shop")
        let name = named.flatMap { self.name($0, "name") }
        let place = named?.place ?? node.place
        let tenant = Tenant(
            name: name ?? "", labels: fields["labels"].map { labels($0) } ?? [:],
            claims: fields["endpoints"].map { claims($0) } ?? [],
            pinned: fields["addresses"].map { pinned($0) },
            ports: fields["ports"].map { namedPorts($0) } ?? [], place: place)
        let rules =
            internalRules(fields, tenant) + outsideRules("world", .world, fields, tenant)
            + outsideRules("host", .host, fields, tenant) + dhcpRules(fields, tenant)
        return name.map { _ in .tenant(tenant, rules: rules) }
    }

    /// What `dhcp` opens: the search for servers, and what the named ones answer.
    private mutating func dhcpRules(_ fields: Fields, _ tenant: Tenant) -> [Rule] {
        guard let node = fields["dhcp"] else { return [] }
        let servers = dhcpServers(node)
        let families = AddressFamily.allCases.filter { family in
            servers.contains { $0 == .host || $0.family == family }
        }
        guard !servers.isEmpty else { return [] }
        let header = PolicyHeader(name: "tenant/\(tenant.name) dhcp")
        let place = fields.keyPlace("dhcp") ?? node.place
        let groups = families.map { family in
            Peer.network(
                family == .v4
                    ? Prefix(containing: DHCP.broadcast, length: 32)
                    : Prefix(containing: DHCP.servers6, length: 128), except: [])
        }
        return rules(
            header, from: [tenant.peer], to: groups,
            [(.dhcp(families.map { DHCP.ports($0).server }), place)])
            + rules(
                header, from: servers, to: [tenant.peer],
                [(.dhcp(families.map { DHCP.ports($0).client }), place)])
    }

    /// The servers that `dhcp` names: `host`, or a list of addresses and `host`.
    private mutating func dhcpServers(_ node: SourceNode) -> [Peer] {
        if node.text == "host" { return [.host] }
        let items = items(
            node, of: "dhcp", example: "dhcp: [10.0.0.1]' or 'dhcp: host",
            ifEmpty: "list the servers' addresses, or delete 'dhcp'")
        var servers: [Peer] = []
        for item in items ?? [] {
            guard let server = dhcpServer(item), !servers.contains(server) else { continue }
            servers.append(server)
        }
        return servers
    }

    private mutating func dhcpServer(_ node: SourceNode) -> Peer? {
        guard let text = text(node, "dhcp") else { return nil }
        if text == "host" { return .host }
        guard let address = IPAddress(text), address.isServer else {
            return report(
                "dhcp \(text.quoted) is neither 'host' nor the address of a server",
                fix: "write the address that the server answers from, such as 10.0.0.1",
                at: node.place)
        }
        return .network(
            Prefix(containing: address, length: address.family == .v4 ? 32 : 128), except: [])
    }

    private mutating func pinned(_ node: SourceNode) -> [Prefix] {
        let items = items(
            node, of: "addresses", example: "addresses: [10.0.1.0/24]",
            ifEmpty: "list the tenant's networks; without 'addresses' it may have any address")
        return (items ?? []).compactMap { prefix($0, "addresses") }
    }
}

// Declared ports.
extension DocumentReader {
    private mutating func namedPorts(_ node: SourceNode) -> [NamedPort] {
        guard case .mapping(let entries) = node.content else {
            report(
                "ports is a mapping of names to ports, and here stands \(node.found)",
                fix: "write it as 'ports: {http: 8080}'", at: node.place)
            return []
        }
        return entries.compactMap { entry in
            let isName = checkName(entry.key, "a port's name", .port, at: entry.keyPlace)
            let port = namedPort(entry.key, entry.value)
            return isName ? port : nil
        }
    }

    private mutating func namedPort(_ name: String, _ node: SourceNode) -> NamedPort? {
        guard case .mapping = node.content else {
            return number(node, "a port", in: 1...65535)
                .map { NamedPort(name: name, ipProtocol: .tcp, port: UInt16($0)) }
        }
        let what = "a declared port"
        guard
            let fields = fields(
                node, of: what, keys: ["protocol", "port"], example: "{protocol: tcp, port: 5432}")
        else { return nil }
        let words = IPProtocol.named.filter(\.value.hasPorts)
        let word = require("protocol", in: fields, of: what, example: "protocol: tcp")
            .flatMap { self.word($0, "protocol", among: words.map(\.name)) }
        let port = require("port", in: fields, of: what, example: "port: 5432")
            .flatMap { self.number($0, "port", in: 1...65535) }
        guard let port, let number = words.first(where: { $0.name == word })?.value else {
            return nil
        }
        return NamedPort(name: name, ipProtocol: number, port: UInt16(port))
    }
}

// What the settings imply.
extension DocumentReader {
    private static let directionKeys = ["to", "from"]

    private mutating func internalRules(_ fields: Fields, _ tenant: Tenant) -> [Rule] {
        if let node = fields["internal"] {
            guard permission(node, "internal") else { return [] }
        }
        let header = PolicyHeader(name: "tenant/\(tenant.name) internal")
        let place = fields.keyPlace("internal") ?? tenant.place
        return rules(header, from: [tenant.peer], to: [tenant.peer], [(.any, place)])
    }

    /// Whether `allow` stands there and not `deny`; anything else is reported, and counts as `deny`.
    private mutating func permission(_ node: SourceNode, _ key: String) -> Bool {
        switch node.text {
        case "allow": return true
        case "deny": return false
        default:
            let nearest = node.text.flatMap { ["allow", "deny"].nearest(to: $0) }
            let meant = node.isDenial ? "deny" : node.isTrue ? "allow" : nearest
            report(
                "\(key) is \(node.found), and must be allow or deny",
                fix: meant.map { "write '\(key): \($0)'" }
                    ?? "write '\(key): deny' or '\(key): allow'",
                at: node.place)
            return false
        }
    }

    private mutating func outsideRules(
        _ key: String, _ outside: Peer, _ fields: Fields, _ tenant: Tenant
    ) -> [Rule] {
        guard let node = fields[key],
            let sides = self.fields(
                node, of: key, keys: Self.directionKeys, example: "\(key): {to: none, from: none}")
        else { return [] }
        if sides.entries.isEmpty {
            report(
                "\(key) is an empty mapping", fix: "add 'to' or 'from', or delete '\(key)'",
                at: node.place)
        }
        let header = PolicyHeader(name: "tenant/\(tenant.name) \(key)")
        let outgoing = allowed("to", in: sides, names: .undeclared(destination: "'\(key)'"))
        let incoming = allowed("from", in: sides, names: .declared(by: [tenant.peer]))
        return rules(header, from: [tenant.peer], to: [outside], outgoing)
            + rules(header, from: [outside], to: [tenant.peer], incoming)
    }

    private mutating func allowed(
        _ key: String, in sides: Fields, names: PortNames
    ) -> [(service: Service, place: SourcePlace)] {
        guard let node = sides[key] else { return [] }
        if case .list = node.content {
            return services(node, key, names: names, ifEmpty: "write '\(key): none'")
        }
        switch node.text {
        case "all": return [(.any, sides.keyPlace(key) ?? node.place)]
        case "none": return []
        default:
            report(
                "\(key) is \(node.found), and must be none, all or a list of allow entries",
                fix: node.isDenial
                    ? "write '\(key): none'"
                    : "write '\(key): none', or list what may pass as in 'allow'",
                at: node.place)
            return []
        }
    }
}

extension Peer {
    /// The family of a network.
    fileprivate var family: AddressFamily? {
        if case .network(let prefix, _) = self { prefix.address.family } else { nil }
    }
}

extension IPAddress {
    /// Whether a server on another machine, or in another namespace, may have it.
    fileprivate var isServer: Bool {
        let prefix = Prefix(containing: self, length: family == .v4 ? 32 : 128)
        return !isLoopback && !isMulticastOrBroadcast && self != .v4(0) && self != .v6(0)
            && prefix.mappedIPv4 == nil
    }
}

extension Tenant {
    /// All of the tenant's endpoints.
    fileprivate var peer: Peer { .endpoints(of: .name(name), nil) }
}
