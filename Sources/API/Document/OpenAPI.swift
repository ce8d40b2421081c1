internal import Policy
internal import Reports

/// The description of the API that programs read: OpenAPI 3.1.
enum OpenAPI {
    /// The document as the socket serves it.
    static let document = text(of: operations)

    /// The document of the TCP port: what changes something isn't there.
    static let readOnlyDocument = text(of: operations.filter { $0.method == .get })

    private static func text(of operations: [Operation]) -> String {
        let document: SchemaValue = [
            "openapi": "3.1.0",
            "info": [
                "title": "Ringfence", "version": .text(version),
                "summary": "What an agent enforces, what passes, and what is refused.",
                "description": .text(
                    "On the Unix socket only its owner asks; the TCP port, where there is one, is "
                        + "the loopback interface's and takes GET alone. A parameter that "
                        + "a path does not know is an error, so that no misspelt filter goes "
                        + "unnoticed."),
            ],
            "servers": [["url": "/"]],
            "paths": .object(operations.map { ($0.path, $0.item) }),
            "components": ["schemas": Schemas.all],
        ]
        return document.text + "\n"
    }

    /// Of the API, not of the program: it changes with what is answered.
    private static let version = "1.0.0"

    static let operations: [Operation] = [
        Operation("/v1/status", "status", "What is enforced, and what is wrong.", "Status"),
        Operation("/v1/tenants", "tenants", "The tenants of the policies.", "Tenants"),
        Operation("/v1/endpoints", "endpoints", "The endpoints and their counters.", "Endpoints"),
        Operation(
            "/v1/rules", "rules", "The rules in force, page by page.", "Rules",
            parameters: [
                Parameters.source, Parameters.destination, Parameters.limit,
                Parameters.rulesCursor,
            ]),
        Operation(
            "/v1/flows", "flows", "Live flows, each with the rule that admitted it.", "Flows",
            parameters: [Parameters.flowsTenant, Parameters.limit]),
        Operation("/v1/counters", "counters", "What passed and what was refused.", "Counters"),
        Operation(
            "/v1/violations", "violations", "Refused flows, page by page or as they come.",
            parameters: Parameters.violationFilters + [
                Parameters.follow, Parameters.violationsLimit, Parameters.violationsCursor,
            ],
            answers: [
                ("application/json", .named("Violations")),
                (
                    "application/x-ndjson",
                    .string(
                        "With follow=true: a Violation a line, or `{\"lost\":3}` where so many "
                            + "came faster than they were read; empty lines are signs of life.")
                ),
            ]),
        Operation("/v1/matrix", "matrix", "Who may talk to whom, and who tried.", "Matrix"),
        Operation(
            "/v1/history", "history", "What changed and when.", "History",
            parameters: [Parameters.historyLimit]),
        Operation(
            "/v1/drift", "drift", "What others changed in the kernel, and who it was.",
            parameters: [
                Parameters.driftSince, Parameters.driftTenant, Parameters.driftFollow,
                Parameters.driftLimit,
            ],
            answers: [
                ("application/json", .named("DriftReport")),
                (
                    "application/x-ndjson",
                    .string(
                        "With follow=true: a Drift a line, or `{\"lost\":3}` where so many came "
                            + "faster than they were read; empty lines are signs of life. One "
                            + "that happens again comes again, with the same id and more times.")
                ),
            ]),
        Operation(
            "/v1/events", "events", "What happens, as it happens, until somebody hangs up.",
            parameters: Parameters.violationFilters,
            answers: [
                (
                    "text/event-stream",
                    .string(
                        "Events `violation`, `generation` and `drift` with the object of that "
                            + "name as data; `errors` with `{\"errors\":[...]}`; `lost` with "
                            + "`{\"lost\":3}`. The filters choose among violations; with since, "
                            + "recorded ones come first.")
                )
            ]),
        Operation(
            "/metrics", "metrics", "Everything that is measured, for Prometheus.",
            answers: MetricsForm.allCases.map { ($0.mediaType, .string()) }),
        Operation(
            "/healthz", "health", "Whether the agent answers.",
            answers: [("text/plain", ["const": "ok\n"])]),
        Operation(
            "/readyz", "readiness", "Whether a generation is in force.",
            answers: [("text/plain", ["const": "ready\n"])],
            problems: [(503, "No generation is in force yet.")]),
        .change(
            "/v1/endpoints/await", "awaitEndpoint",
            "Brings a namespace into force, and answers when it is.", "EnforcementRequest",
            answer: ("application/json", .named("EnforcedEndpoint"))),
        .change(
            "/v1/endpoints/forget", "forgetEndpoint",
            "Forgets what was announced of a namespace.", "EnforcementRequest",
            answer: ("text/plain", ["const": "ok\n"])),
        .change(
            "/v1/links/release", "releaseLink",
            "Ends the guard of a link at which no endpoint is any more.", "LinkReleaseRequest",
            answer: ("text/plain", ["const": "ok\n"])),
        .change(
            "/v1/policies/confirm-empty", "confirmEmptyDirectory",
            "Confirms that the policy directory is meant to be empty: every rule ends.", "Empty",
            answer: ("text/plain", ["const": "ok\n"])),
        Operation(
            "/", "page", "A page for people.", answers: [("text/html", .string())]),
        Operation(
            "/openapi.json", "description", "This document.",
            answers: [("application/json", ["type": "object"])]),
    ]
}

extension MetricsForm {
    /// The content type without its parameters.
    fileprivate var mediaType: String {
        String(contentType.prefix { $0 != ";" })
    }
}
