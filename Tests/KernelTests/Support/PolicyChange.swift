import Glibc
import Linux
import Testing

/// A change of the policy directory, and which of the two ports it leaves open.
struct PolicyChange: Sendable, CustomTestStringConvertible {
    let name: String
    let before: Set<UInt16>
    let after: Set<UInt16>
    /// Whether the change makes no new generation.
    var isSilent = false
    let prepare: @Sendable (Rig) throws -> Void
    let make: @Sendable (Rig) throws -> Void

    var testDescription: String { name }

    /// A change between two contents of one file.
    private init(
        _ name: String, _ before: Set<UInt16>, _ after: Set<UInt16>, isSilent: Bool = false,
        from old: String, to new: String
    ) {
        self.init(name, before, after, isSilent: isSilent) { rig in
            try rig.writeTenants()
            try rig.write(old, to: "a.yaml")
        } make: { rig in
            try rig.write(new, to: "a.yaml")
        }
    }

    private init(
        _ name: String, _ before: Set<UInt16>, _ after: Set<UInt16>, isSilent: Bool = false,
        prepare: @escaping @Sendable (Rig) throws -> Void,
        make: @escaping @Sendable (Rig) throws -> Void
    ) {
        self.name = name
        self.before = before
        self.after = after
        self.isSilent = isSilent
        self.prepare = prepare
        self.make = make
    }

    static let all: [PolicyChange] = rules + files + labels + directories

    private static let narrow = PolicyText.policy(PolicyText.udp("7000, 7001"))
    private static let wide = PolicyText.policy(PolicyText.udp("7000-7100"))
    private static let split = PolicyText.policy(
        PolicyText.udp("7000, 7001"), PolicyText.udp("7050, 7051"))
    private static let renamed = PolicyText.policy(PolicyText.udp("7000, 7001"), name: "other")
    private static let bad = PolicyText.policy(PolicyText.udp("0"))

    private static let rules = [
        PolicyChange("entry added", [7000], [7000, 7050], from: narrow, to: split),
        PolicyChange("entry removed", [7000, 7050], [7000], from: split, to: narrow),
        PolicyChange("widened", [7000], [7000, 7050], from: narrow, to: wide),
        PolicyChange("narrowed", [7000, 7050], [7000], from: wide, to: narrow),
        PolicyChange("renamed", [7000], [7000], from: narrow, to: renamed),
        PolicyChange("renamed and widened", [7000], [7000, 7050], from: renamed, to: wide),
        PolicyChange("bad file", [7000], [7000], isSilent: true, from: narrow, to: bad),
    ]

    private static let files = [
        PolicyChange("policy added", [], [7000]) { rig in
            try rig.writeTenants()
        } make: { rig in
            try rig.write(narrow, to: "a.yaml")
        },
        PolicyChange("policy removed", [7000], []) { rig in
            try rig.writeTenants()
            try rig.write(narrow, to: "a.yaml")
        } make: { rig in
            try rig.remove("a.yaml")
        },
        PolicyChange("moved to another file", [7000], [7000], isSilent: true) { rig in
            try rig.writeTenants()
            try rig.write(narrow, to: "a.yaml")
        } make: { rig in
            try rig.write(narrow, to: "b.yaml")
            try rig.remove("a.yaml")
        },
        PolicyChange("file renamed", [7000], [7000], isSilent: true) { rig in
            try rig.writeTenants()
            try rig.write(narrow, to: "a.yaml")
        } make: { rig in
            try rig.move("a.yaml", to: "b.yaml")
        },
    ]

    private static func labelled(_ labels: String) -> String {
        PolicyText.documents(
            PolicyText.tenant("a", "labels: {\(labels)}"), PolicyText.tenant("b"))
    }

    private static let byLabel = PolicyText.policy(
        PolicyText.udp("7000-7100"), from: "{tenants: {matchLabels: {role: front}}}")

    private static func label(
        _ name: String, _ before: Set<UInt16>, _ after: Set<UInt16>, isSilent: Bool = false,
        from old: String, to new: String
    ) -> PolicyChange {
        PolicyChange(name, before, after, isSilent: isSilent) { rig in
            try rig.write(labelled(old), to: "tenants.yaml")
            try rig.write(byLabel, to: "a.yaml")
        } make: { rig in
            try rig.write(labelled(new), to: "tenants.yaml")
        }
    }

    private static let labels = [
        label("label given", [], [7000, 7050], from: "x: y", to: "role: front"),
        label("label taken", [7000, 7050], [], from: "role: front", to: "role: back"),
        label(
            "other label", [7000, 7050], [7000, 7050], isSilent: true, from: "role: front",
            to: "role: front, x: y"),
    ]

    private static let directories = [
        PolicyChange("directory swapped", [7000], [7050]) { rig in
            try rig.makeTree("old", narrow)
            try rig.makeTree("new", PolicyText.policy(PolicyText.udp("7050, 7051")))
            try rig.point(at: "old")
        } make: { rig in
            try rig.point(at: "new")
        },
        PolicyChange("directory renamed", [7000], [7050]) { rig in
            try rig.writeTenants()
            try rig.write(narrow, to: "a.yaml")
            try rig.makeTree("new", PolicyText.policy(PolicyText.udp("7050, 7051")))
        } make: { rig in
            let old = rig.folder + "/old"
            try check("rename", on: old) { rename(rig.policies, old) }
            try check("rename", on: old) { rename(rig.folder + "/new", rig.policies) }
        },
        PolicyChange("mounted ConfigMap", [7000], [7050]) { rig in
            try rig.makeConfigMap("1", narrow)
        } make: { rig in
            try rig.makeConfigMap("2", PolicyText.policy(PolicyText.udp("7050, 7051")))
        },
    ]
}
