internal import NetTypes
internal import Rules

/// One transaction of somebody who is not the agent, as the kernel told of it.
public struct ForeignTransaction: Hashable, Sendable {
    /// Where the namespace's rulesets stood after it.
    public let generation: UInt32
    /// The name that the thread had that made it.
    public let process: String?
    /// The thread's number, as the first pid namespace counts; nil where the kernel did not say.
    public let pid: Int32?
    /// What it did, by table, in the order of the first message about each.
    public let changes: [TableChange]
}

/// A table of nf_tables by family and name.
public struct TableName: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    /// NFPROTO_* of linux/netfilter.h.
    public let family: UInt8
    public let name: String

    public init(family: UInt8, name: String) {
        self.family = family
        self.name = name
    }

    /// The agent's own table.
    public static let own = TableName(family: 1, name: Program.tableName)

    public static func < (left: TableName, right: TableName) -> Bool {
        (left.family, left.name) < (right.family, right.name)
    }

    public var description: String { "\(familyName) \(name.foreignName)" }

    private var familyName: String {
        switch family {
        case 1: "inet"
        case 2: "ip"
        case 3: "arp"
        case 5: "netdev"
        case 7: "bridge"
        case 10: "ip6"
        default: "family \(family)"
        }
    }
}

/// What one transaction did to one table.
public struct TableChange: Hashable, Sendable {
    public enum Fate: Hashable, Sendable {
        case added
        case removed
    }

    /// What rules do beyond refusing and counting, as far as their expressions tell.
    public enum Effect: String, Hashable, Sendable, CaseIterable {
        case accept = "accepts"
        case translate = "translates addresses"
        case mark = "sets marks"
        case untracked = "takes packets out of connection tracking"
        case redirect = "sends packets elsewhere"
    }

    /// A chain on a hook.
    public struct Hooked: Hashable, Sendable {
        public let name: String
        /// As `nft` writes it: `type nat hook output priority -100`.
        public let place: String
    }

    public let table: TableName
    /// Whether the table came or went; nil where only something in it changed.
    public var fate: Fate?
    /// Chains on hooks that came or are others.
    public var hooked: [Hooked] = []
    /// Chains that went, on a hook or not.
    public var goneChains: [String] = []
    /// Other chains that came.
    public var plainChains = 0
    public var addedRules = 0
    public var removedRules = 0
    /// Chains in which rules came or went, few of them.
    public var ruleChains: [String] = []
    public var effects: Set<Effect> = []
    public var addedElements = 0
    public var removedElements = 0
    /// Sets whose elements changed, and sets, objects and flow tables that came or went.
    public var sets: [String] = []

    init(_ table: TableName) { self.table = table }
}

extension TableChange {
    /// What was changed, in words.
    public var text: String {
        var parts: [String] = []
        switch fate {
        case .added: parts.append("added")
        case .removed: return "table \(table): removed"
        case nil: break
        }
        parts += hooked.prefix(Self.few).map { "chain \($0.name.foreignName) (\($0.place))" }
        if hooked.count > Self.few {
            parts.append("\(hooked.count - Self.few) more chains on hooks")
        }
        if plainChains > 0 { parts.append("\(plainChains) chains on no hook") }
        if !goneChains.isEmpty {
            parts.append(
                "chains gone: \(goneChains.prefix(Self.few).map(\.foreignName).joined(separator: ", "))"
            )
        }
        let chains =
            ruleChains.isEmpty ? "" : " in \(ruleChains.map(\.foreignName).joined(separator: ", "))"
        if addedRules + removedRules > 0 {
            let does = TableChange.Effect.allCases.filter(effects.contains).map(\.rawValue)
            parts.append(
                "rules \(Self.sign(addedRules, removedRules))\(chains)"
                    + (does.isEmpty ? "" : " that \(does.joined(separator: ", "))"))
        }
        if addedElements + removedElements > 0 {
            parts.append("elements \(Self.sign(addedElements, removedElements))")
        }
        if !sets.isEmpty {
            parts.append("sets: \(sets.map(\.foreignName).joined(separator: ", "))")
        }
        return "table \(table): " + (parts.isEmpty ? "its flags" : parts.joined(separator: "; "))
    }

    /// How many names a text has at most: whoever makes the names could make it any length.
    static let few = 3

    private static func sign(_ added: Int, _ removed: Int) -> String {
        [added > 0 ? "+\(added)" : nil, removed > 0 ? "-\(removed)" : nil].compactMap(\.self)
            .joined(separator: " ")
    }

    mutating func note(ruleChain name: String) {
        if ruleChains.count < Self.few, !ruleChains.contains(name) { ruleChains.append(name) }
    }

    mutating func note(set name: String) {
        if sets.count < Self.few, !sets.contains(name) { sets.append(name) }
    }
}
