import NetTypes
import Policy

extension CountersReport: TextReport {
    public func text(width: Int?) -> String {
        let start = since.map { "counted since \($0)\n" } ?? ""
        let blocks = [ruleText(width), refusedText(width), endpointText(width)]
        return start + blocks.joined(separator: "\n") + notRecordedText
    }

    private func ruleText(_ width: Int?) -> String {
        var table = Table(
            .init("RULE"), .init("POLICY"), .init("PLACE"), .init("SERVICE"),
            .init("PACKETS", .right), .init("BYTES", .right), .init("FLOWS", .right))
        for rule in rules {
            table.append(
                [
                    rule.rule.description, rule.policy, rule.place.description, rule.service,
                ] + rule.counts.cells)
        }
        return section("rules", table, width: width, none: "none")
    }

    private func refusedText(_ width: Int?) -> String {
        var table = Table(
            .init("FROM"), .init("TO"), .init("REFUSED AT"), .init("REASON"),
            .init("PACKETS", .right), .init("BYTES", .right), .init("FLOWS", .right))
        for pair in refused {
            table.append(
                [
                    pair.source.name, pair.destination.name, pair.direction.rawValue,
                    pair.reason.rawValue,
                ] + pair.counts.cells)
        }
        return section("refused", table, width: width, none: "nothing")
    }

    private func endpointText(_ width: Int?) -> String {
        var table = Table(
            .init("ENDPOINT"), .init("TENANT"), .init("ADMITTED", .right),
            .init("BYTES", .right), .init("REFUSED", .right), .init("BYTES", .right))
        for endpoint in endpoints {
            table.append([
                endpoint.endpoint, endpoint.tenant, "\(endpoint.admitted.packets)",
                "\(endpoint.admitted.bytes)", "\(endpoint.refused.packets)",
                "\(endpoint.refused.bytes)",
            ])
        }
        return section("endpoints", table, width: width, none: "none")
    }

    private var notRecordedText: String {
        guard notRecorded != Tally() else { return "" }
        return "\nrefused but in no line above: \(count(notRecorded.packets, "packet")), "
            + "\(count(notRecorded.bytes, "byte")), \(count(notRecorded.flows, "flow"))\n"
    }
}

extension Tally {
    fileprivate var cells: [String] { ["\(packets)", "\(bytes)", "\(flows)"] }
}
