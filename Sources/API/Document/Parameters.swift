internal import Policy
internal import Reports

/// What can be asked for.
enum Parameters {
    static let limit = parameter(
        "limit", "How many rows at most; 1,000 if nothing is said.", .integer(1...Query.most))
    static let historyLimit = parameter(
        "limit", "How many of each at most; 100 if nothing is said.", .integer(1...Query.most))
    static let violationsLimit = parameter(
        "limit", "How many at most; the latest are taken, 10,000 if nothing is said.",
        .integer(1...Query.most))
    static let tenant = parameter(
        "tenant", "Only what has this tenant at either end.", .pattern(NameForm.name.pattern))
    static let flowsTenant = parameter(
        "tenant", "Only flows of this tenant's endpoints.", .pattern(NameForm.name.pattern))
    static let driftTenant = parameter(
        "tenant", "Only drift at this tenant's endpoints.", .pattern(NameForm.name.pattern))
    static let driftLimit = parameter(
        "limit", "How many at most; the latest are taken, 1,000 if nothing is said.",
        .integer(1...Query.most))
    static let driftSince = parameter(
        "since", "Leaves out what went on before only. \(timeHelp)", time)
    static let driftFollow = parameter(
        "follow",
        "Go on with new ones as they come, a line of JSON each; limit then means nothing.", .flag)
    static let source = parameter("source", "Only what this party sent. \(partyHelp)", party)
    static let destination = parameter(
        "destination", "Only what was for this party. \(partyHelp)", party)
    static let reason = parameter(
        "reason", "Only what was refused for this reason.", .named("Reason"))
    static let since = parameter("since", "Leaves out what ended before. \(timeHelp)", time)
    static let until = parameter("until", "Leaves out what began later. \(timeHelp)", time)
    static let follow = parameter(
        "follow",
        "Go on with new ones as they come, a line of JSON each; limit and cursor then "
            + "mean nothing.", .flag)
    static let rulesCursor = parameter(
        "cursor", "The `next` of the page before.",
        .pattern("^[1-9][0-9]{0,8}:[1-9][0-9]{0,8}:[^\\u0000]+$"))
    static let violationsCursor = parameter(
        "cursor", "The `next` of the page before.", .pattern("^([0-9a-f]{2}){8,1024}$"))

    static let violationFilters = [since, until, tenant, source, destination, reason]

    private static func parameter(
        _ name: String, _ description: String, _ schema: SchemaValue
    ) -> SchemaValue {
        [
            "name": .text(name), "in": "query", "description": .text(description),
            "schema": schema,
        ]
    }

    private static let partyHelp =
        "A tenant's name, or `:host`, `:world`, `:others` (whoever has no name), or an address "
        + "behind a colon."

    private static let party: SchemaValue = [
        "type": "string",
        "anyOf": [
            ["pattern": .text(NameForm.name.pattern)],
            ["enum": [":host", ":world", ":others"]],
            ["pattern": .text("^:\(v4)$")],
            ["pattern": .text("^:(\(v6))$")],
        ],
    ]

    private static let v4: String = {
        let byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
        return "(\(byte)\\.){3}\(byte)"
    }()

    /// Eight groups, or fewer with `::` in the place of one run of zeros.
    private static let v6: String = {
        let group = "[0-9a-f]{1,4}"
        let split = (1...6).map { "(\(group):){1,\($0)}(:\(group)){1,\(7 - $0)}" }
        return (["(\(group):){7}\(group)", "(\(group):){1,7}:", ":(:\(group)){1,7}", "::"] + split)
            .joined(separator: "|")
    }()

    private static let timeHelp =
        "A day, or a moment in UTC, to the millisecond at most: `2026-01-31T09:00:00Z`."

    private static let time: SchemaValue = {
        let leapYear =
            "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)"
        let days =
            "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
            + "|02-(0[1-9]|1[0-9]|2[0-8])"
        let clock = "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?"
        return .pattern("^([0-9]{4}-(\(days))|\(leapYear)-02-29)(\(clock))?Z?$")
    }()
}
