/// What to do about a key that a mapping can't have.
///
/// "Delete it" is no answer: a key that was meant to narrow what is allowed would be gone, and the rest
/// would open more than its author meant.
struct KeyAdvice {
    /// Follows the statement that there is no such key; empty where nothing is to be added.
    let reason: String
    let fix: String
    /// The keys in whose place it stands.
    private let substituted: [String]

    /// - Parameters:
    ///   - key: The key as written.
    ///   - keys: Those that the mapping may have.
    init(for key: String, among keys: [String]) {
        let word = key.lowercased()
        if keys.contains("allow"), Self.denials.contains(word) {
            self.init(
                reason: ": there are no deny rules, and what no rule allows is dropped",
                fix: "delete it; if nothing is left to allow, delete the document",
                substituted: ["allow"])
        } else if keys.contains("protocol"), Self.denials.contains(word) {
            self.init(
                reason: ": there are no deny rules, and what no rule allows is dropped",
                fix: "delete the whole entry if it is to deny", substituted: keys)
        } else if let invisible = key.unicodeScalars.first(where: \.isInvisible) {
            self.init(
                fix: "replace the invisible character \(invisible.number) by a plain space",
                substituted: keys)
        } else if let nearest = keys.nearest(to: key) ?? Self.synonym(of: word, among: keys) {
            self.init(fix: "write '\(nearest)' in its place", substituted: [nearest])
        } else if keys.contains("apiVersion"), word == "spec" || word == "metadata" {
            self.init(
                reason: ": documents are flat",
                fix: "write what stands below '\(key)' at the left margin, without '\(key)'",
                substituted: keys)
        } else if keys == ["matchLabels", "matchExpressions"] {
            self.init(fix: "write 'matchLabels: {\(key): VALUE}' for a label", substituted: [])
        } else {
            self.init(
                fix: "write one of these keys; if the line is to restrict something, the rest opens"
                    + " more without it",
                substituted: [])
        }
    }

    private init(reason: String = "", fix: String, substituted: [String]) {
        self.reason = reason
        self.fix = fix
        self.substituted = substituted
    }

    /// Whether the key stands in place of another one, so that this one isn't missed as well.
    func replaces(_ key: String) -> Bool { substituted.contains(key) }

    private static let denials: Set = [
        "deny", "denied", "drop", "block", "reject", "refuse", "forbid", "disallow", "action",
        "verdict", "effect",
    ]

    /// A key of this format that means the same as one of another format.
    private static func synonym(of word: String, among keys: [String]) -> String? {
        synonyms.first { keys.contains($0.key) && $0.words.contains(word) }?.key
    }

    private static let synonyms: [(key: String, words: Set<String>)] = [
        ("protocol", ["proto", "l4proto", "ipprotocol"]),
        (
            "ports",
            [
                "dport", "dports", "destinationport", "destinationports", "toports", "targetport",
                "portrange",
            ]
        ),
        ("types", ["icmptype", "icmptypes"]),
        ("except", ["exclude", "excluding", "not", "without", "exceptions"]),
        ("cidr", ["ip", "ips", "ipblock", "address", "network", "net", "subnet", "prefix"]),
        (
            "endpoints",
            [
                "labels", "matchlabels", "selector", "podselector", "endpointselector", "pods",
                "namespaces", "netns",
            ]
        ),
        ("tenants", ["tenantselector", "namespaceselector"]),
        ("expires", ["until", "notafter", "validuntil", "expiry", "ttl", "end"]),
        ("from", ["source", "sources", "src"]),
        ("to", ["destination", "destinations", "dest", "dst"]),
        ("allow", ["permit", "accept", "rules", "services"]),
        ("addresses", ["cidrs", "networks", "subnets", "ips"]),
    ]
}
