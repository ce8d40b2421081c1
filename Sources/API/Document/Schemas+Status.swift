internal import Policy
internal import Reports

/// `/v1/status`.
extension Schemas {
    static let status: [(String, SchemaValue)] = [
        (
            "Status",
            .record(
                "What an agent is doing: its inputs, its endpoints, and what went wrong.",
                [
                    "agent": .named("Agent"), "policies": .named("PolicyStatus"),
                    "endpoints": .list(of: .named("EndpointStatus")),
                    "unknownNamespaces": .list(of: .named("UnknownNamespace")),
                    "conflicts": .list(of: .named("Conflict")),
                    "held": .list(of: .named("HeldLink")), "lost": .named("LostEvents"),
                    "sinks": .list(of: .named("Sink")),
                ], optional: ["lastApply": .named("Apply"), "overheard": .named("Overheard")])
        ),
        (
            "Agent",
            .record(
                "The process that answers.",
                [
                    "version": .string(), "pid": .count, "started": .moment,
                    "hostFilter": .words("off", "on", "only"), "generation": .count,
                ],
                optional: [
                    "hostFilterProblem": .string(), "otherPrograms": .list(of: .string()),
                ])
        ),
        (
            "PolicyStatus",
            .record(
                "The policy directory as it was last read.",
                [
                    "directory": .string(), "files": .count, "policies": .count,
                    "rules": .count, "tenants": .count,
                    "errors": .list(of: .named("Diagnostic")),
                ])
        ),
        (
            "Diagnostic",
            .record(
                "What is wrong in a policy file, where, and how to mend it.",
                ["place": .named("Place"), "message": .string(), "fix": .string()])
        ),
        (
            "EndpointStatus",
            .record(
                "One endpoint, and whether the kernel enforces its rules.",
                [
                    "name": .string(), "tenant": .string(),
                    "state": .words(EndpointStatus.State.self),
                    "addresses": .list(of: .address),
                ], optional: ["generation": .count, "lastError": .string()])
        ),
        (
            "HeldLink",
            .record(
                "A host end of a veth that stays guarded although no endpoint is there any more.",
                [
                    "link": .string(), "isClosed": ["type": "boolean"], "reason": .string(),
                    "since": .moment, "addresses": .list(of: .address),
                ], optional: ["tenant": .string(), "endpoint": .string()])
        ),
        (
            "LinkReleaseRequest",
            .record("A held link.", ["link": .string("Its name in the host namespace.")])
        ),
        ("Empty", .record("Nothing to say.", [:])),
        (
            "UnknownNamespace",
            .record(
                "A namespace that no tenant claims: left alone, or closed if it was an endpoint before.",
                [
                    "name": .string(),
                    "id": .record("", ["device": .count, "inode": .count]),
                    "addresses": .list(of: .address),
                ], optional: ["isClosed": .flag])
        ),
        (
            "Conflict",
            .record(
                "A claim that was refused.",
                [
                    "subject": .string(), "claimants": .list(of: .string()),
                    "message": .string(),
                ], optional: ["keeper": .string()])
        ),
        (
            "Apply",
            .record(
                "How the last generation came into force.",
                [
                    "finished": .moment, "changedEndpoints": .count,
                    "readMilliseconds": .number, "compileMilliseconds": .number,
                    "applyMilliseconds": .number,
                ])
        ),
        (
            "LostEvents",
            .record(
                "Notices that the kernel could not deliver.",
                ["refusals": .count, "links": .count, "rules": .count, "violations": .count])
        ),
        (
            "Sink",
            .record(
                "Where events are written to as they happen, and how that goes.",
                [
                    "name": .words("stdout", "file", "syslog"), "target": .string(),
                    "written": .count, "waiting": .count,
                    "lost": .record(
                        "Records that were never written, by cause.",
                        ["full": .count, "limited": .count, "failed": .count]),
                ], optional: ["problem": .string()])
        ),
        (
            "EnforcementRequest",
            [
                "type": "object",
                "description": "Which namespace: by its mount or by a process that lives in it.",
                "properties": [
                    "namespace": .string("The mount of the namespace."),
                    "pid": .integer(1...Int(Int32.max)),
                    "tenant": .pattern(NameForm.name.pattern, "Whose it is to be."),
                    "labels": .map(of: .string()), "addresses": .list(of: .address),
                    "timeoutMilliseconds": .integer(0...EnforcementRequest.longestWait),
                ],
            ]
        ),
        (
            "EnforcedEndpoint",
            .record(
                "An endpoint whose rules are in force.",
                ["tenant": .string(), "name": .string(), "addresses": .list(of: .address)],
                optional: ["generation": .count])
        ),
    ]
}
