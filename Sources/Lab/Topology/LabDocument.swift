import NetTypes
public import Policy
import Yams

extension LabTopology {
    /// Reads a file of kind `Lab`; the error holds every mistake, each with its place.
    public init(reading text: String, file: String) throws(PolicyErrors) {
        var reader = LabReader(file: file)
        let topology = reader.topology(from: text)
        guard let topology, reader.diagnostics.isEmpty else {
            throw PolicyErrors(reader.diagnostics)
        }
        self = topology
    }
}

/// One reading of a file; collects what is wrong.
struct LabReader {
    let file: String
    private(set) var diagnostics: [Diagnostic] = []

    init(file: String) { self.file = file }

    mutating func report(_ message: String, fix: String, at mark: Mark?) {
        let place = SourcePlace(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1)
        diagnostics.append(Diagnostic(message, fix: fix, at: place))
    }

    mutating func topology(from text: String) -> LabTopology? {
        do {
            guard let root = try Yams.compose(yaml: text) else {
                report("the file is empty", fix: "begin with 'kind: Lab'", at: nil)
                return nil
            }
            return topology(from: root)
        } catch let error as YamlError {
            report("this is not YAML: \(error)", fix: "mend the line", at: error.place)
        } catch {
            report("this is not YAML: \(error)", fix: "mend the line", at: nil)
        }
        return nil
    }

    private mutating func topology(from root: Node) -> LabTopology? {
        let keys = [
            "apiVersion", "kind", "name", "fabric", "subnet4", "subnet6", "namespaces",
            "listeners", "nat",
        ]
        guard let fields = fields(of: root, named: "a lab", keys: keys) else { return nil }
        expect(fields["apiVersion"], "ringfence/v1", key: "apiVersion", in: root)
        expect(fields["kind"], "Lab", key: "kind", in: root)
        let name = self.name(fields["name"], key: "name", in: root, limit: 40)
        let fabric = self.fabric(fields["fabric"])
        let subnets = [
            prefix(fields["subnet4"], key: "subnet4", .v4),
            prefix(fields["subnet6"], key: "subnet6", .v6),
        ].compactMap(\.self)
        let namespaces = self.namespaces(fields["namespaces"], in: root, subnets: subnets)
        let listeners = self.listeners(fields["listeners"])
        let translations = self.translations(fields["nat"])
        if fabric == .bridged { checkReach(namespaces, subnets, in: fields["namespaces"] ?? root) }
        guard let name else { return nil }
        return LabTopology(
            name: name, fabric: fabric, subnets: subnets, namespaces: namespaces,
            listeners: listeners, translations: translations)
    }

    /// On a bridge, only an address of a subnet is reached by the others.
    private mutating func checkReach(
        _ namespaces: [LabNamespace], _ subnets: [Prefix], in node: Node
    ) {
        for address in namespaces.flatMap(\.addresses)
        where !subnets.contains(where: { $0.contains(address) }) {
            report(
                "\(address) lies in no subnet of the bridge",
                fix: "choose one of a subnet, or write 'fabric: routed'", at: node.mark)
        }
    }

    private mutating func fabric(_ node: Node?) -> LabTopology.Fabric {
        guard let node else { return .bridged }
        if let text = node.string, let fabric = LabTopology.Fabric(rawValue: text) { return fabric }
        report(
            "there is no such fabric", fix: "write 'bridged' or 'routed'", at: node.mark)
        return .bridged
    }
}

extension YamlError {
    fileprivate var place: Mark? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _),
            .composer(_, _, let mark, _):
            mark
        default: nil
        }
    }
}
