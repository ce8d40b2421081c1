import NetTypes
import Policy

extension ViolationsReport: TextReport {
    /// A row for each flow; below it the rule that comes closest, what it lacks, and the mend.
    public func text(_ form: TextForm) -> String {
        guard !violations.isEmpty else { return "violations: none\n" + notRecordedText }
        var table = Table(
            .init("LAST", importance: .high), .init("FROM"), .init("TO"), .init("SERVICE"),
            .init("REFUSED AT", importance: .low), .init("REASON", importance: .high),
            .init("PACKETS", .right))
        for violation in violations {
            table.append([
                .init(form.moment(violation.last)), .init(violation.source.text),
                .init(violation.destination.text), .init(violation.service),
                .init(violation.place), .init(violation.reason.rawValue, .bad),
                .init("\(violation.packets)"),
            ])
        }
        let lines = table.lines(form)
        let rows = zip(lines.dropFirst(), violations).map { line, violation in
            "\(line)\n\(violation.closestText(width: form.width))"
        }
        return "violations:\n\(lines[0])\n\(rows.joined())\(notRecordedText)"
    }

    /// A row for each flow.
    public var csv: CSV {
        var csv = Violation.csv
        for violation in violations { csv.append(violation.csvRow) }
        return csv
    }

    private var notRecordedText: String {
        notRecorded == 0 ? "" : "not recorded: \(count(notRecorded, "refused flow"))\n"
    }
}

extension Violation {
    fileprivate func closestText(width: Int?) -> String {
        guard let closest else {
            let isByRules = reason == .noRule || reason == .revoked
            return isByRules ? "    the policies as they are now don't refuse it\n" : ""
        }
        return ["\(closest.ruleText): \(closest.lack)", "fix: \(closest.fix)"]
            .map { $0.printable.wrapped(width: width, indent: 4) }.joined()
    }
}

extension String {
    /// The words in lines of at most the width, each indented and with a line feed.
    ///
    /// A word that is longer is cut into several.
    fileprivate func wrapped(width: Int?, indent: Int) -> String {
        let room = Swift.max(8, (width ?? .max) - indent)
        var lines = [""]
        for word in split(separator: " ") {
            var rest = word[...]
            let last = lines.count - 1
            if !lines[last].isEmpty, lines[last].columns + 1 + String(rest).columns <= room {
                lines[last] += " " + rest
                continue
            }
            if !lines[last].isEmpty { lines.append("") }
            while String(rest).columns > room {
                var left = room
                let piece = rest.prefix {
                    left -= $0.columns
                    return left >= 0
                }
                lines[lines.count - 1] += piece
                rest = rest.dropFirst(piece.count)
                lines.append("")
            }
            lines[lines.count - 1] += rest
        }
        return lines.map { String(repeating: " ", count: indent) + $0 + "\n" }.joined()
    }
}

extension Violation {
    /// Protocol, and port or message: `tcp 5432`, `icmp 8/0`.
    public var service: String {
        if let ports { return "\(ipProtocol) \(ports.destination)" }
        return message.map { "\(ipProtocol) \($0.type)/\($0.code)" } ?? "\(ipProtocol)"
    }

    /// The header of a table of violations, without rows.
    public static var csv: CSV {
        CSV([
            "first", "last", "source_tenant", "source_endpoint", "source", "source_port",
            "destination_tenant", "destination_endpoint", "destination", "destination_port",
            "service", "refused_at", "layer", "reason", "packets", "bytes", "flows", "policy",
            "owner", "place", "lack", "fix", "generation",
        ])
    }

    /// The violation under that header.
    public var csvRow: [String?] {
        [
            first.description, last.description, source.tenant, source.endpoint,
            source.address.description, ports.map { "\($0.source)" }, destination.tenant,
            destination.endpoint, destination.address.description,
            ports.map { "\($0.destination)" }, service, direction.rawValue, layer.rawValue,
            reason.rawValue, "\(packets)", "\(bytes)", "\(flows ?? 1)", closest?.rule?.policy,
            closest?.rule?.owner, closest?.rule?.place.description, closest?.lack, closest?.fix,
            "\(generation)",
        ]
    }

    /// One line about the violation, for streams.
    public var line: String {
        let counted = "\(count(packets, "packet")), \(count(bytes, "byte"))"
        let why = closest.map { "; \($0.ruleText): \($0.lack)" } ?? ""
        return
            ("\(last) \(source.text) > \(destination.text) \(service) refused at "
            + "\(place) (\(reason.rawValue)), \(counted)\(why)").printable
    }
}

extension ViolationEnd {
    /// `tenant/endpoint 10.0.0.1`, `host 10.0.0.1`, `NAMESPACE (unclaimed) 10.0.0.1`, or the address alone.
    public var text: String {
        guard let tenant else {
            if let endpoint { return "\(endpoint) (unclaimed) \(address)" }
            return (party == .host ? "host " : "") + address.description
        }
        return (endpoint.map { "\(tenant)/\($0)" } ?? tenant) + " \(address)"
    }
}

extension Violation {
    /// Which end refused, and outside of it where the host filter did.
    fileprivate var place: String {
        direction.rawValue + (layer == .hostFilter ? ", host filter" : "")
    }
}
