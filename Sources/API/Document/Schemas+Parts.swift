internal import NetTypes
internal import Policy
internal import Reports

/// What several answers are made of.
extension Schemas {
    static let parts: [(String, SchemaValue)] = [
        (
            "Problem",
            .record(
                "Why there is no answer.",
                ["error": .string("What went wrong."), "fix": .string("What to do about it.")])
        ),
        (
            "Tally",
            .record(
                "Packets, bytes and flows that were counted together.",
                ["packets": .count, "bytes": .count, "flows": .count])
        ),
        (
            "Place",
            .record(
                "Where something stands in a policy file; lines and columns count from 1.",
                ["file": .string(), "line": .count, "column": .count])
        ),
        (
            "Party",
            .record(
                "Who stands at an end: a tenant, the host, the world, or somebody's address.",
                [
                    "kind": .words("tenant", "host", "world", "address"),
                    "name": .string(
                        "The tenant's name, or the address; the kind itself for host and world."),
                ])
        ),
        (
            "RuleReference",
            .record(
                "A rule: enough to find it, and whom to ask.",
                ["id": .named("RuleID"), "policy": .string(), "place": .named("Place")],
                optional: ["owner": .string(), "ticket": .string()])
        ),
        ("RuleID", .pattern("^[0-9a-f]{16}$", "What tells a rule from others, over restarts.")),
        ("Direction", .words(Direction.self)),
        ("Layer", .words("nftables", "hostFilter")),
        ("Reason", .words(RefusalReason.self)),
        (
            "Ports",
            .record("The ports of a flow.", ["source": .port, "destination": .port])
        ),
    ]
}
