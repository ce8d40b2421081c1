import NetTypes
import Policy

extension FlowsReport: TextReport {
    public func text(_ form: TextForm) -> String {
        var table = Table(
            .init("TENANT"), .init("ENDPOINT"), .init("DIR", importance: .high), .init("PEER"),
            .init("PROTO", importance: .high), .init("PORTS", importance: .high), .init("POLICY"),
            .place)
        for flow in flows {
            table.append([
                .init(flow.tenant), .init(flow.endpoint), .init(flow.direction.rawValue),
                .init(flow.peerText), .init("\(flow.ipProtocol)"), .init(flow.portText ?? ""),
                flow.policyCell,
                .init(flow.anyRule.map { "\($0.place.file):\($0.place.line)" } ?? ""),
            ])
        }
        let more = left > 0 ? "\(count(left, "flow")) more; --limit shows them\n" : ""
        return section("flows", table, form, none: "none") + more
    }

    /// A row for each flow.
    public var csv: CSV {
        var csv = CSV([
            "tenant", "endpoint", "direction", "peer_tenant", "source", "source_port",
            "destination", "destination_port", "protocol", "layer", "policy", "owner", "place",
            "expires_in", "next",
        ])
        for flow in flows {
            csv.append([
                flow.tenant, flow.endpoint, flow.direction.rawValue, flow.peerTenant,
                flow.source.description, flow.ports.map { "\($0.source)" },
                flow.destination.description, flow.ports.map { "\($0.destination)" },
                "\(flow.ipProtocol)", flow.layer.rawValue, flow.rule?.policy, flow.rule?.owner,
                flow.rule?.place.description, flow.expiresIn.map { "\($0)" },
                flow.next.map { $0.rule?.policy ?? "refused" },
            ])
        }
        return csv
    }
}

extension LiveFlow {
    /// The other end: its tenant, where it has one, and its address.
    fileprivate var peerText: String {
        let peer = direction == .egress ? destination : source
        return (peerTenant.map { $0 + " " } ?? "") + peer.description
    }

    fileprivate var anyRule: RuleReference? { rule ?? next?.rule }

    /// The policy that admitted the flow, or that will at the next packet.
    fileprivate var policyCell: Table.Cell {
        if let rule { return .init(rule.policy) }
        guard let next else { return .init("not known") }
        return next.rule.map { .init("\($0.policy), from its next packet") }
            ?? .init("none: refused next", .bad)
    }

    fileprivate var portText: String? { ports.map { "\($0.source) > \($0.destination)" } }
}
