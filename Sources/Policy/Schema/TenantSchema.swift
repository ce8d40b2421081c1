extension PolicySchema {
    static let tenantDefinitions: [(String, SchemaValue)] = [
        ("tenantDocument", tenantDocument), ("endpoint", endpoint), ("outside", outside),
        ("declaredPort", declaredPort),
    ]

    private static let tenantDocument: SchemaValue = [
        "description": "An owner of endpoints, and what it lets in and out by itself.",
        "required": ["name"],
        "additionalProperties": false,
        "properties": [
            "apiVersion": true,
            "kind": true,
            "name": ["$ref": "#/$defs/name"],
            "labels": [
                "$ref": "#/$defs/labels", "description": "What selectors of tenants look at.",
            ],
            "endpoints": [
                "type": "array",
                "items": ["$ref": "#/$defs/endpoint"],
                "description": "Which network namespaces are the tenant's.",
            ],
            "addresses": [
                "type": "array",
                "minItems": 1,
                "items": ["$ref": "#/$defs/network"],
                "description": "Networks that the tenant's addresses must lie in; others can't.",
            ],
            "ports": [
                "type": "object",
                "propertyNames": ["$ref": "#/$defs/portName"],
                "additionalProperties": ["$ref": "#/$defs/declaredPort"],
                "description": "Names that policies may use for ports of this tenant.",
            ],
            "internal": [
                "enum": ["allow", "deny"],
                "default": "allow",
                "description": "Whether the tenant's own endpoints may talk to each other.",
            ],
            "world": [
                "$ref": "#/$defs/outside",
                "description": "What passes to and from addresses beyond this machine.",
            ],
            "host": [
                "$ref": "#/$defs/outside",
                "description": "What passes to and from the host itself.",
            ],
            "dhcp": [
                "anyOf": [
                    ["const": "host"],
                    [
                        "type": "array", "minItems": 1,
                        "items": [
                            "anyOf": [
                                ["const": "host"],
                                ["type": "string", "pattern": .text(NetworkPattern.address)],
                            ]
                        ],
                    ],
                ],
                "description": "The DHCP servers that its endpoints get their addresses from.",
            ],
        ],
    ]

    private static let endpoint: SchemaValue = [
        "type": "object",
        "description": "A network namespace, by one of namespace, path and pid.",
        "additionalProperties": false,
        "oneOf": [
            ["required": ["namespace"]], ["required": ["path"]], ["required": ["pid"]],
        ],
        "properties": [
            "namespace": [
                "type": "string",
                "maxLength": .number(PathForm.greatestName),
                "pattern": .text(PathForm.globPattern),
                "description": "The name of a namespace mount, or a glob such as shop-*.",
            ],
            "path": [
                "type": "string",
                "maxLength": .number(PathForm.greatestPath),
                "pattern": .text(PathForm.pathPattern),
                "description": "The absolute path of a bind mount.",
            ],
            "pid": [
                "type": "integer",
                "minimum": .number(PathForm.pids.lowerBound),
                "maximum": .number(PathForm.pids.upperBound),
                "description": "A process that lives in the namespace.",
            ],
            "labels": [
                "$ref": "#/$defs/labels", "description": "Labels of these endpoints.",
            ],
        ],
    ]

    private static let outside: SchemaValue = [
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": [
            "to": [
                "anyOf": [
                    ["enum": ["none", "all"]],
                    [
                        "type": "array", "minItems": 1,
                        "items": ["$ref": "#/$defs/allowWithoutNames"],
                    ],
                ],
                "default": "none",
                "description": "What the tenant's endpoints may call: none, all or a list.",
            ],
            "from": [
                "anyOf": [["enum": ["none", "all"]], ["$ref": "#/$defs/allowList"]],
                "default": "none",
                "description": "What may call the tenant's endpoints: none, all or a list.",
            ],
        ],
    ]

    private static let declaredPort: SchemaValue = [
        "description": "A TCP port by its number, or a protocol and a port.",
        "anyOf": [
            ["$ref": "#/$defs/portNumber"],
            [
                "type": "object",
                "required": ["protocol", "port"],
                "additionalProperties": false,
                "properties": [
                    "protocol": ["enum": ["tcp", "udp", "sctp"]],
                    "port": ["$ref": "#/$defs/portNumber"],
                ],
            ],
        ],
    ]
}
