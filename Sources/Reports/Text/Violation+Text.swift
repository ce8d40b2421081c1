import NetTypes
import Policy

extension ViolationsReport: TextReport {
    /// A row for each flow; below it the rule that comes closest, what it lacks, and the mend.
    public func text(width: Int?) -> String {
        guard !violations.isEmpty else { return "violations: none\n" + notRecordedText }
        var table = Table(
            .init("LAST"), .init("FROM"), .init("TO"), .init("SERVICE"), .init("REFUSED AT"),
            .init("REASON"), .init("PACKETS", .right))
        for violation in violations {
            table.append([
                violation.last.description, violation.source.text, violation.destination.text,
                violation.service, violation.direction.rawValue, violation.reason.rawValue,
                "\(violation.packets)",
            ])
        }
        let lines = table.text(width: width).split(separator: "\n")
        let rows = zip(lines.dropFirst(), violations).map { line, violation in
            "\(line)\n\(violation.closestText(width: width))"
        }
        return "violations:\n\(lines[0])\n\(rows.joined())\(notRecordedText)"
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
            if !lines[last].isEmpty, lines[last].count + 1 + rest.count <= room {
                lines[last] += " " + rest
                continue
            }
            if !lines[last].isEmpty { lines.append("") }
            while rest.count > room {
                lines[lines.count - 1] += rest.prefix(room)
                rest = rest.dropFirst(room)
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

    /// One line about the violation, for streams.
    public var line: String {
        let counted = "\(count(packets, "packet")), \(count(bytes, "byte"))"
        let why = closest.map { "; \($0.ruleText): \($0.lack)" } ?? ""
        return
            ("\(last) \(source.text) > \(destination.text) \(service) refused at "
            + "\(direction.rawValue) (\(reason.rawValue)), \(counted)\(why)").printable
    }
}

extension ViolationEnd {
    /// `tenant/endpoint 10.0.0.1`, or the address alone.
    public var text: String {
        guard let tenant else { return address.description }
        return (endpoint.map { "\(tenant)/\($0)" } ?? tenant) + " \(address)"
    }
}
