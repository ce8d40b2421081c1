internal import NetTypes
internal import Reports

/// Who reached whom on which ports: a row for each caller, a column for each that is called.
struct LabGrid {
    private let names: [String]
    private let ways: [Pair: [LabProbeReport.Way]]

    private struct Pair: Hashable {
        let source: String
        let destination: String
    }

    init(_ ways: [LabProbeReport.Way], names: [String]) {
        self.names = names
        self.ways = Dictionary(grouping: ways) {
            Pair(source: $0.source, destination: $0.destination)
        }
    }

    func text(_ form: TextForm) -> String {
        let numbers = names.indices.map { Table.Column("TO \($0 + 1)") }
        var table = Table([.init("FROM")] + numbers)
        for (index, source) in names.enumerated() {
            table.append(["\(index + 1) \(source)"] + names.map { cell(source, $0) })
        }
        return table.text(form) + Self.legend
    }

    private static let legend = """

        The ports that answer; u is udp, all is every port that was tried, - is none. Where only
        one of IPv4 and IPv6 answers, /4 or /6 stands behind the port; ! is not as expected.

        """

    /// Ports in the order of their numbers, such as `443 9100/6`.
    private func cell(_ source: String, _ destination: String) -> String {
        guard let ways = ways[Pair(source: source, destination: destination)] else { return "." }
        let mark = ways.contains { !$0.agrees } ? "!" : ""
        let open = ways.count { $0.isOpen }
        if open == 0 { return "-" + mark }
        if open == ways.count { return "all" + mark }
        let ports = Dictionary(grouping: ways, by: Port.init).sorted { $0.key < $1.key }
        return ports.compactMap { $0.text($1) }.joined(separator: " ") + mark
    }

    private struct Port: Hashable, Comparable {
        let number: UInt16
        let ipProtocol: IPProtocol

        init(_ way: LabProbeReport.Way) {
            number = way.port
            ipProtocol = way.ipProtocol
        }

        static func < (left: Port, right: Port) -> Bool {
            (left.number, left.ipProtocol) < (right.number, right.ipProtocol)
        }

        /// Nil where no family answers.
        func text(_ ways: [LabProbeReport.Way]) -> String? {
            let open = ways.filter(\.isOpen)
            guard let first = open.first else { return nil }
            let family = first.family == AddressFamily.v4.rawValue ? "/4" : "/6"
            return "\(number)" + (ipProtocol == .udp ? "u" : "")
                + (open.count == ways.count ? "" : family)
        }
    }
}

extension LabProbeReport.Way {
    fileprivate var isOpen: Bool { seen == "reached" }
}
