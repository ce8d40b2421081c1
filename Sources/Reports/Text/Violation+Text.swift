import NetTypes
import Policy

extension ViolationsReport: TextReport {
    public func text(width: Int?) -> String {
        var table = Table(
            .init("LAST"), .init("FROM"), .init("TO"), .init("SERVICE"), .init("REFUSED AT"),
            .init("REASON"), .init("PACKETS", .right), .init("CLOSEST RULE"), .init("LACK"))
        for violation in violations {
            table.append([
                violation.last.description, violation.source.text, violation.destination.text,
                violation.service, violation.direction.rawValue, violation.reason.rawValue,
                "\(violation.packets)", violation.closest?.ruleText ?? "-",
                violation.closest?.lack ?? "",
            ])
        }
        let list = section("violations", table, width: width, none: "none")
        guard notRecorded > 0 else { return list }
        return list + "not recorded: \(count(notRecorded, "refused flow"))\n"
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
