public import Verifier

/// Which checks are evidence for which controls: data that users can edit.
public struct ControlMapping: Hashable, Sendable, Codable {
    /// A framework and those of its controls that matter here.
    public struct Catalog: Hashable, Sendable, Codable {
        public var title: String
        /// By id, in the framework's own spelling.
        public var controls: [String: String]

        public init(title: String, controls: [String: String]) {
            self.title = title
            self.controls = controls
        }
    }

    /// By a short name, such as `nist-800-53`.
    public var catalogs: [String: Catalog]
    /// By kind of check: controls as `CATALOG/CONTROL`.
    public var checks: [String: [String]]

    public init(catalogs: [String: Catalog], checks: [String: [String]]) {
        self.catalogs = catalogs
        self.checks = checks
    }

    func controls(for kind: Check.Kind) -> [String] { checks[kind.rawValue] ?? [] }
}

extension ControlMapping {
    /// What is wrong with the mapping: kinds of checks and controls that nobody knows.
    public var mistakes: [String] {
        let kinds = Check.Kind.allCases.map(\.rawValue)
        let unknown = checks.keys.filter { !kinds.contains($0) }.sorted().map {
            "there is no kind of check called '\($0)'\n  fix: use one of \(kinds.joined(separator: ", "))"
        }
        let undeclared = checks.sorted { $0.key < $1.key }.flatMap { kind, controls in
            controls.filter { title(of: $0) == nil }.map {
                "'\($0)' of '\(kind)' is in no catalog\n  fix: write CATALOG/CONTROL, and name the"
                    + " control under 'catalogs'"
            }
        }
        return unknown + undeclared
    }

    /// What a control is about; nil where no catalog has it.
    func title(of control: String) -> String? {
        let parts = control.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        return catalogs[String(parts[0])]?.controls[String(parts[1])]
    }

    /// Every control that some check is evidence for, with the worst outcome of these checks.
    func results(of checks: [Check]) -> [ControlResult] {
        Set(checks.flatMap(\.controls)).sorted().map { control in
            let evidence = checks.filter { $0.controls.contains(control) }
            let parts = control.split(separator: "/", maxSplits: 1).map(String.init)
            let catalog = parts.first ?? ""
            return ControlResult(
                catalog: catalog, catalogTitle: catalogs[catalog]?.title ?? catalog,
                control: parts.last ?? control, title: title(of: control),
                outcome: evidence.map(\.outcome).max() ?? .notProven, checks: evidence.map(\.id))
        }
    }
}

/// One control, and what the audit says about it.
public struct ControlResult: Hashable, Sendable, Codable {
    public var catalog: String
    public var catalogTitle: String
    /// In the framework's own spelling.
    public var control: String
    public var title: String?
    /// The worst of its checks.
    public var outcome: AuditOutcome
    /// The ids of the checks.
    public var checks: [String]
}
