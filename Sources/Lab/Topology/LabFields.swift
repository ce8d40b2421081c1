import NetTypes
import Yams

/// The kinds of values that a lab file is made of.
extension LabReader {
    /// The fields of a mapping, each known and written once.
    mutating func fields(of node: Node, named name: String, keys: [String]) -> [String: Node]? {
        guard let mapping = node.mapping else {
            report("\(name) is a mapping", fix: "write 'key: value' lines", at: node.mark)
            return nil
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard let text = key.string, keys.contains(text) else {
                report(
                    "\(name) has no '\(key.string ?? "?")'",
                    fix: "use one of \(keys.joined(separator: ", "))", at: key.mark)
                continue
            }
            fields[text] = value
        }
        return fields
    }

    mutating func expect(_ node: Node?, _ text: String, key: String, in parent: Node) {
        guard node?.string != text else { return }
        report(
            "'\(key)' must be '\(text)'", fix: "write '\(key): \(text)'", at: (node ?? parent).mark)
    }

    /// The items of a list; none when it is left out.
    mutating func items(_ node: Node?, key: String) -> [Node] {
        guard let node else { return [] }
        if let sequence = node.sequence { return Array(sequence) }
        report("'\(key)' is a list", fix: "write '- ' before each item", at: node.mark)
        return []
    }

    /// A name that can be a file's and a link's.
    mutating func name(_ node: Node?, key: String, in parent: Node, limit: Int) -> String? {
        let text = node?.string ?? ""
        let isPlain = text.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
                || [0x2d, 0x2e].contains(byte)
        }
        if isPlain, !text.isEmpty, text.utf8.count <= limit, !text.hasPrefix("."),
            !text.hasPrefix("-")
        {
            return text
        }
        report(
            "'\(key)' is missing or no name",
            fix: "use up to \(limit) small letters, digits, '-' and '.'", at: (node ?? parent).mark)
        return nil
    }

    mutating func address(_ node: Node?, key: String, in parent: Node) -> IPAddress? {
        if let text = node?.string, let address = IPAddress(text) { return address }
        report(
            "'\(key)' is missing or no address", fix: "write an address such as 10.77.0.2",
            at: (node ?? parent).mark)
        return nil
    }

    /// A subnet; nil when it is left out.
    mutating func prefix(_ node: Node?, key: String, _ family: AddressFamily?) -> Prefix? {
        guard let node else { return nil }
        do throws(Prefix.ParseError) {
            let prefix = try Prefix(parsing: node.string ?? "")
            if family == nil || prefix.address.family == family { return prefix }
            report("'\(key)' is of the other family", fix: "swap the subnets", at: node.mark)
        } catch {
            report(
                "'\(key)' is no network", fix: "write one such as 10.77.0.0/24 or fd77::/64",
                at: node.mark)
        }
        return nil
    }

    mutating func port(_ node: Node?, key: String, in parent: Node) -> UInt16? {
        if let text = node?.string, let port = UInt16(text), port > 0 { return port }
        report(
            "'\(key)' is missing or no port", fix: "write a number from 1 to 65535",
            at: (node ?? parent).mark)
        return nil
    }

    mutating func ipProtocol(_ node: Node?, in parent: Node) -> IPProtocol? {
        switch node?.string {
        case "tcp": return .tcp
        case "udp": return .udp
        default:
            report(
                "'protocol' is missing or unknown here", fix: "write 'tcp' or 'udp'",
                at: (node ?? parent).mark)
            return nil
        }
    }
}
