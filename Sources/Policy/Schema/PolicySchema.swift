/// The JSON Schema of one document of a policy file, for editors and other programs.
///
/// It accepts and refuses what `PolicyFile(parsing:path:)` does, as far as a schema can speak. What
/// it cannot say is listed in `unspoken`.
public enum PolicySchema {
    /// The schema, draft 2020-12.
    public static let text = document.text + "\n"

    /// What the reader refuses and the schema lets pass.
    public static let unspoken = [
        "bits set beyond the length of a network",
        "networks in 'except' that don't lie inside 'cidr', or leave nothing of it",
        "reversed port ranges",
        "port names that a tenant doesn't declare",
        "tenants that no document declares",
        "policies, tenants or assertions of one name",
        "days that the month in 'expires' doesn't have",
        "keys that stand twice, anchors, tags, tabs, and other matters of YAML itself",
        "numbers in other spellings than plain decimal digits",
        "true and false in other spellings",
    ]

    private static let document: SchemaValue = [
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ringfence policy document",
        "description": "One document of a policy file: a Tenant, a Policy or an Assertion.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": [
            "apiVersion": [
                "const": .text(DocumentReader.apiVersion),
                "description": "The version of the format.",
            ],
            "kind": [
                "enum": ["Tenant", "Policy", "Assertion"],
                "description": "What the document declares.",
            ],
        ],
        "allOf": .list(
            [
                ("Tenant", "tenantDocument"), ("Policy", "policyDocument"),
                ("Assertion", "assertionDocument"),
            ].map { kind, definition in
                [
                    "if": ["properties": ["kind": ["const": .text(kind)]]],
                    "then": ["$ref": .text("#/$defs/\(definition)")],
                ]
            }),
        "$defs": .object(definitions),
    ]

    private static var definitions: [(String, SchemaValue)] {
        tenantDefinitions + policyDefinitions + assertionDefinitions + serviceDefinitions
            + wordDefinitions
    }

    private static let wordDefinitions: [(String, SchemaValue)] = [
        ("name", name("A name, unique among documents of its kind.", .name)),
        ("portName", name("The name of a port.", .port)),
        ("labelKey", name("The key of a label.", .labelKey)),
        ("labelValue", name("The value of a label; numbers go in quotes.", .labelValue)),
        (
            "labels",
            [
                "type": "object",
                "propertyNames": ["$ref": "#/$defs/labelKey"],
                "additionalProperties": ["$ref": "#/$defs/labelValue"],
            ]
        ),
        (
            "network",
            [
                "type": "string",
                "pattern": .text(NetworkPattern.network),
                "description": "ADDRESS/LENGTH, IPv4 or IPv6; no bits beyond the length.",
            ]
        ),
    ]

    static func name(_ description: String, _ form: NameForm) -> SchemaValue {
        [
            "type": "string", "pattern": .text(form.pattern),
            "description": .text("\(description) It has \(form.rule)."),
        ]
    }
}
