extension PolicySchema {
    static let assertionDefinitions: [(String, SchemaValue)] = [
        ("assertionDocument", assertionDocument), ("claim", claim),
        ("control", name("What it is evidence for.", .control)),
    ]

    private static let assertionDocument: SchemaValue = [
        "description": "What has to hold whatever the policies say; it opens and closes nothing.",
        "required": ["name"],
        "additionalProperties": false,
        "oneOf": .list(
            Assertion.Claim.allCases.map { ["required": .list([.text($0.rawValue)])] }),
        "properties": [
            "apiVersion": true,
            "kind": true,
            "name": ["$ref": "#/$defs/name"],
            "owner": remark("Who answers for the assertion.", upTo: 128),
            "description": remark("Why it has to hold.", upTo: 4096),
            "controls": [
                "type": "array", "minItems": 1, "items": ["$ref": "#/$defs/control"],
                "description": "What it is evidence for, each as CATALOG/CONTROL.",
            ],
            "noPath": [
                "$ref": "#/$defs/claim",
                "description": "None of 'from' can open a flow to any of 'to'.",
            ],
            "reachable": [
                "allOf": [["$ref": "#/$defs/claim"], ["required": ["over"]]],
                "description": "Each of 'from' can open flows to each of 'to'.",
            ],
            "onlyFrom": [
                "$ref": "#/$defs/claim",
                "description": "Nobody but 'from' can open a flow to any of 'to'.",
            ],
        ],
    ]

    private static let claim: SchemaValue = [
        "type": "object",
        "required": ["from", "to"],
        "additionalProperties": false,
        "properties": [
            "from": ["$ref": "#/$defs/peers", "description": "Who would open flows."],
            "to": ["$ref": "#/$defs/peers", "description": "To whom."],
            "over": [
                "$ref": "#/$defs/allowList", "description": "Over what; without it, anything.",
            ],
            "transitive": [
                "type": "boolean", "default": false,
                "description": "Whether chains of endpoints count as well.",
            ],
        ],
        "anyOf": .list(onePartyIsATenant),
        "if": ["properties": ["to": ["items": ["$ref": "#/$defs/tenantPeer"]]]],
        "else": ["properties": ["over": ["items": ["$ref": "#/$defs/allowWithoutNames"]]]],
    ]
}
