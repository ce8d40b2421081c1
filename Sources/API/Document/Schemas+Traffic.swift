internal import Policy

/// Who is there, what passes, and what was counted.
extension Schemas {
    static let traffic: [(String, SchemaValue)] = [
        (
            "Tenants",
            .record(
                "The tenants of the policies, by name.",
                [
                    "tenants": .list(
                        of: .record(
                            "One tenant, and what its endpoints sent and received.",
                            [
                                "name": .string(), "labels": .map(of: .string()),
                                "place": .named("Place"), "endpoints": .count,
                                "admitted": .named("Tally"), "refused": .named("Tally"),
                            ]))
                ])
        ),
        (
            "Endpoints",
            .record(
                "The endpoints, by tenant and name.",
                [
                    "endpoints": .list(
                        of: .record(
                            "One endpoint: its state, and what was counted there.",
                            [
                                "status": .named("EndpointStatus"),
                                "counters": .named("EndpointCounters"),
                            ]))
                ])
        ),
        (
            "EndpointCounters",
            .record(
                "All that one endpoint sent and received.",
                [
                    "tenant": .string(), "endpoint": .string(), "admitted": .named("Tally"),
                    "refused": .named("Tally"),
                ],
                optional: [
                    "refusedByHostFilter": .named("Tally"), "overheard": .named("Overheard"),
                ])
        ),
        (
            "Overheard",
            .record(
                "What a bridge gave to everybody, dropped as nobody's attempt.",
                ["flooded": .named("Tally"), "multicast": .named("Tally")])
        ),
        (
            "Rules",
            .record(
                "One page of the rules in force, in the order of files and lines.",
                ["rules": .list(of: .named("RuleSummary"))], optional: ["next": next])
        ),
        (
            "RuleSummary",
            .record(
                "One rule: whom it lets talk to whom, who owns it, and what it admitted.",
                [
                    "rule": .named("RuleReference"), "from": .list(of: .string()),
                    "to": .list(of: .string()), "service": .string(),
                    "admitted": .named("Tally"),
                ], optional: ["hostFilter": .named("Tally")])
        ),
        (
            "Flows",
            .record(
                "Flows that the kernel tracks at this moment.",
                [
                    "flows": .list(of: .named("Flow")), "left": .count,
                ])
        ),
        (
            "Flow",
            .record(
                "A flow as one endpoint sees it, and the rule that admitted it there.",
                [
                    "tenant": .string(), "endpoint": .string(),
                    "direction": .named("Direction"), "source": .address,
                    "destination": .address, "ipProtocol": .string(), "layer": .named("Layer"),
                ],
                optional: [
                    "peerTenant": .string(), "ports": .named("Ports"),
                    "rule": .named("RuleReference"), "expiresIn": .count,
                    "next": .record(
                        "What becomes of a flow without a live rule at its next packet.",
                        ["isAdmitted": .flag], optional: ["rule": .named("RuleReference")]),
                ])
        ),
        (
            "Counters",
            .record(
                "How much passed and how much was refused, since counting began.",
                [
                    "rules": .list(of: .named("RuleCounters")),
                    "refused": .list(of: .named("RefusedPair")),
                    "endpoints": .list(of: .named("EndpointCounters")),
                    "notRecorded": .named("Tally"),
                ], optional: ["since": .moment, "overheard": .named("Overheard")])
        ),
        (
            "RuleCounters",
            .record(
                "What one rule admitted.",
                [
                    "rule": .named("RuleID"), "policy": .string(), "place": .named("Place"),
                    "service": .string(), "counts": .named("Tally"),
                ], optional: ["hostFilter": .named("Tally")])
        ),
        (
            "RefusedPair",
            .record(
                "What was refused between two parties for one reason.",
                [
                    "source": .named("Party"), "destination": .named("Party"),
                    "direction": .named("Direction"), "layer": .named("Layer"),
                    "reason": .named("Reason"), "counts": .named("Tally"),
                ])
        ),
    ]

    /// What a page says of the one behind it.
    static let next: SchemaValue = .string(
        "What to give as cursor to get the next page; not there on the last one.")
}
