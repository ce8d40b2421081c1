import NetTypes
import Policy

extension CountersReport: TextReport {
    public func text(_ form: TextForm) -> String {
        let start = since.map { "counted since \($0)\n" } ?? ""
        let blocks = [ruleText(form), refusedText(form), endpointText(form)]
        return start + blocks.joined(separator: "\n") + notRecorded.notRecordedText
            + (overheard?.text ?? "")
    }

    /// The rules: the other tables have to be asked for.
    public var csv: CSV { grouped(by: .rule).csv }

    private func ruleText(_ form: TextForm) -> String {
        var table = Table(
            .init("RULE", importance: .low), .init("POLICY"), .place, .init("SERVICE"),
            .init("PACKETS", .right), .init("BYTES", .right), .init("FLOWS", .right))
        for rule in rules {
            table.append(
                [
                    rule.rule.description, rule.policy, rule.place.description, rule.service,
                ] + rule.counts.cells)
        }
        return section("rules", table, form, none: "none")
    }

    private func refusedText(_ form: TextForm) -> String {
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
        return section("refused", table, form, none: "nothing")
    }

    private func endpointText(_ form: TextForm) -> String {
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
        return section("endpoints", table, form, none: "none")
    }
}

extension Overheard {
    /// A line; nothing where nothing was.
    var text: String {
        guard self != Overheard() else { return "" }
        return "overheard: \(count(flooded.packets, "flooded frame")) "
            + "(\(count(flooded.bytes, "byte"))), "
            + "\(count(multicast.packets, "multicast message")) "
            + "(\(count(multicast.bytes, "byte")))\n"
    }
}

extension Tally {
    var cells: [String] { ["\(packets)", "\(bytes)", "\(flows)"] }
}
