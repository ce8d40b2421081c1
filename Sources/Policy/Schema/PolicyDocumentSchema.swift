extension PolicySchema {
    static let policyDefinitions: [(String, SchemaValue)] = [
        ("policyDocument", policyDocument), ("peers", peers), ("peer", peer),
        ("selector", selector), ("matchExpression", matchExpression),
    ]

    /// A day, or a time to the second; whether the month has that day a pattern can't say.
    private static let moment =
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        + "(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?$"

    private static let policyDocument: SchemaValue = [
        "description": "Rules: what the peers in 'from' may open to the peers in 'to'.",
        "required": ["name", "from", "to", "allow"],
        "additionalProperties": false,
        "properties": [
            "apiVersion": true,
            "kind": true,
            "name": ["$ref": "#/$defs/name"],
            "owner": remark("Who answers for the policy.", upTo: 128),
            "ticket": remark("Where it was asked for.", upTo: 128),
            "description": remark("Why it is there.", upTo: 4096),
            "expires": [
                "type": "string", "pattern": .text(moment),
                "description": "When it ends: a day or a time in UTC.",
            ],
            "from": ["$ref": "#/$defs/peers", "description": "Who may open connections."],
            "to": ["$ref": "#/$defs/peers", "description": "To whom."],
            "allow": [
                "$ref": "#/$defs/allowList", "description": "Over what; each entry is a rule.",
            ],
        ],
        // One side at least has to name a tenant.
        "anyOf": .list(onePartyIsATenant),
        // Names of ports are looked up at the tenants in `to`.
        "if": ["properties": ["to": ["items": ["$ref": "#/$defs/tenantPeer"]]]],
        "else": [
            "properties": ["allow": ["items": ["$ref": "#/$defs/allowWithoutNames"]]]
        ],
    ]

    static let onePartyIsATenant: [SchemaValue] = [
        ["properties": ["from": ["contains": ["$ref": "#/$defs/tenantPeer"]]]],
        ["properties": ["to": ["contains": ["$ref": "#/$defs/tenantPeer"]]]],
    ]

    static func remark(_ description: String, upTo greatest: Int) -> SchemaValue {
        [
            "type": "string", "minLength": 1, "maxLength": .number(greatest),
            "description": .text(description),
        ]
    }

    private static let peers: SchemaValue = [
        "type": "array", "minItems": 1, "items": ["$ref": "#/$defs/peer"],
    ]

    private static let peer: SchemaValue = [
        "description": "A tenant, tenants by labels, a network, 'world' or 'host'.",
        "if": ["type": "string"],
        "then": ["enum": ["world", "host"]],
        "else": [
            "type": "object",
            "additionalProperties": false,
            "oneOf": [
                ["required": ["tenant"]], ["required": ["tenants"]], ["required": ["cidr"]],
            ],
            "dependentSchemas": [
                "endpoints": ["not": ["required": ["cidr"]]],
                "except": ["required": ["cidr"]],
            ],
            "properties": .object(peerProperties),
        ],
    ]

    private static let peerProperties: [(String, SchemaValue)] = [
        ("tenant", ["$ref": "#/$defs/name", "description": "A tenant by its name."]),
        (
            "tenants",
            [
                "anyOf": [["const": "all"], ["$ref": "#/$defs/selector"]],
                "description": "Every tenant, or those whose labels match.",
            ]
        ),
        (
            "endpoints",
            [
                "$ref": "#/$defs/selector",
                "description": "Which endpoints of the tenant; without it, all.",
            ]
        ),
        ("cidr", ["$ref": "#/$defs/network", "description": "Addresses, whoever has them."]),
        (
            "except",
            [
                "type": "array", "minItems": 1, "items": ["$ref": "#/$defs/network"],
                "description": "Networks inside 'cidr' that aren't meant.",
            ]
        ),
    ]

    private static let selector: SchemaValue = [
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": [
            "matchLabels": [
                "$ref": "#/$defs/labels", "minProperties": 1,
                "description": "Labels that must be there with these values.",
            ],
            "matchExpressions": [
                "type": "array", "minItems": 1, "items": ["$ref": "#/$defs/matchExpression"],
                "description": "Conditions, all of which must hold.",
            ],
        ],
    ]

    private static let matchExpression: SchemaValue = [
        "type": "object",
        "required": ["key", "operator"],
        "additionalProperties": false,
        "properties": [
            "key": ["$ref": "#/$defs/labelKey"],
            "operator": ["enum": ["In", "NotIn", "Exists", "DoesNotExist"]],
            "values": [
                "type": "array", "minItems": 1, "items": ["$ref": "#/$defs/labelValue"],
            ],
        ],
        "if": ["properties": ["operator": ["enum": ["In", "NotIn"]]]],
        "then": ["required": ["values"]],
        "else": ["not": ["required": ["values"]]],
    ]
}
