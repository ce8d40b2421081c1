internal import Policy
internal import Reports

/// What was refused, who tried, and what came into force.
extension Schemas {
    static let past: [(String, SchemaValue)] = [
        (
            "Violations",
            .record(
                "Refused flows, the latest last.",
                ["violations": .list(of: .named("Violation")), "notRecorded": .count],
                optional: ["next": next])
        ),
        (
            "Violation",
            .record(
                "A refused flow within an hour, or what was put together of a flood.",
                [
                    "first": .moment, "last": .moment, "source": .named("ViolationEnd"),
                    "destination": .named("ViolationEnd"), "ipProtocol": .string(),
                    "direction": .named("Direction"), "layer": .named("Layer"),
                    "reason": .named("Reason"), "packets": .count, "bytes": .count,
                    "generation": .count,
                ],
                optional: [
                    "ports": .named("Ports"),
                    "message": .record(
                        "Of ICMP and ICMPv6.", ["type": .byte, "code": .byte]),
                    "flows": .count, "closest": .named("Explanation"),
                ])
        ),
        (
            "ViolationEnd",
            .record(
                "Who stood at one end of a refused flow.", ["address": .address],
                optional: [
                    "tenant": .string(), "endpoint": .string(),
                    "party": .words("tenant", "host", "world", "address"),
                ])
        ),
        (
            "Explanation",
            .record(
                "The rule that comes nearest to admitting a flow, what it lacks, and what to write.",
                ["lack": .string(), "fix": .string()],
                optional: ["rule": .named("RuleReference")])
        ),
        (
            "Matrix",
            .record(
                "Who may talk to whom, and who tried.",
                [
                    "generation": .count, "at": .moment, "tenants": .list(of: .string()),
                    "cells": .list(of: .named("Cell")),
                ])
        ),
        (
            "Cell",
            .record(
                "One source and one destination.",
                [
                    "source": .named("Party"), "destination": .named("Party"),
                    "state": .words(MatrixCell.State.self), "rules": .count,
                    "refused": .named("Tally"),
                ], optional: ["lastRefused": .moment])
        ),
        (
            "History",
            .record(
                "Generations, lives of agents and drift, the latest first.",
                [
                    "generations": .list(of: .named("Generation")),
                    "runs": .list(of: .named("Run")), "drift": .list(of: .named("Drift")),
                ], optional: ["store": .named("Store")])
        ),
        (
            "Generation",
            .record(
                "One state that came into force.",
                [
                    "number": .count, "applied": .moment, "changedEndpoints": .count,
                    "readMilliseconds": .number, "compileMilliseconds": .number,
                    "applyMilliseconds": .number,
                    "files": .map(of: .pattern("^[0-9a-f]{64}$", "The file's SHA-256.")),
                    "changes": .list(
                        of: .record(
                            "A policy file that came, went or is another now.",
                            [
                                "file": .string(),
                                "kind": .words("added", "changed", "removed", "expired"),
                            ])),
                    "errors": .list(of: .string()),
                ])
        ),
        (
            "Run",
            .record(
                "One life of an agent; one that ended without a word has no end.",
                ["started": .moment, "version": .string(), "pid": .count],
                optional: ["stopped": .moment])
        ),
        (
            "DriftReport",
            .record(
                "Drift that was recorded, the latest last.",
                ["drift": .list(of: .named("Drift"))])
        ),
        (
            "Drift",
            .record(
                "Kernel state that was not what the agent had written, or what others put beside "
                    + "it, and who did it, where the kernel tells.",
                [
                    "found": .moment, "endpoint": .string(), "change": .string(),
                    "isRepaired": .flag,
                ],
                optional: [
                    "id": .string("One that comes again with the same id has grown."),
                    "tenant": .string(), "kind": .words(DriftRecord.Kind.self),
                    "process": .string(), "pid": .count, "user": .count, "login": .count,
                    "repairMilliseconds": .number, "times": .count, "last": .moment,
                ])
        ),
        (
            "Store",
            .record(
                "Where history is kept, and whether that works.",
                [
                    "path": .string(), "bytes": .count, "rows": .map(of: .count),
                    "lost": .count,
                ], optional: ["problem": .string("Why history is kept in memory only.")])
        ),
    ]
}
