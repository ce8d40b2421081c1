import NetTypes

extension PolicySchema {
    static let serviceDefinitions: [(String, SchemaValue)] = [
        (
            "allowList",
            ["type": "array", "minItems": 1, "items": ["$ref": "#/$defs/allow"]]
        ),
        ("allow", allow(ports: "ports")),
        ("allowWithoutNames", allow(ports: "numberedPorts")),
        (
            "portNumber",
            ["type": "integer", "minimum": 1, "maximum": 65535, "description": "1 to 65535."]
        ),
        (
            "portRange",
            [
                "type": "string", "pattern": .text(NetworkPattern.portRange),
                "description": "FIRST-LAST.",
            ]
        ),
        ("ports", ports(["portNumber", "portRange", "portName"])),
        ("numberedPorts", ports(["portNumber", "portRange"])),
        ("icmpTypes", types(of: .icmp)),
        ("icmpv6Types", types(of: .icmpv6)),
        (
            "tenantPeer",
            [
                "type": "object",
                "anyOf": [["required": ["tenant"]], ["required": ["tenants"]]],
            ]
        ),
    ]

    /// An entry whose further keys depend on its protocol.
    private static func allow(ports: String) -> SchemaValue {
        [
            "type": "object",
            "required": ["protocol"],
            "additionalProperties": false,
            "properties": [
                "protocol": [
                    "anyOf": [
                        ["enum": .list(IPProtocol.named.map { .text($0.name) } + ["any"])],
                        ["type": "integer", "minimum": 0, "maximum": 255],
                    ],
                    "description": "tcp, udp, sctp, icmp, icmpv6, any, or an IP protocol number.",
                ],
                "ports": ["$ref": .text("#/$defs/\(ports)")],
                "types": [
                    "description": "Types of messages, by name, number or {type, code}.",
                    "type": "array", "minItems": 1,
                ],
            ],
            "allOf": [
                keys(for: [.tcp, .udp, .sctp], unlessThen: ["not": ["required": ["ports"]]]),
                keys(for: [.icmp, .icmpv6], unlessThen: ["not": ["required": ["types"]]]),
                typesRule(.icmp), typesRule(.icmpv6),
            ],
        ]
    }

    private static func keys(
        for protocols: [IPProtocol], unlessThen rule: SchemaValue
    ) -> SchemaValue {
        ["if": condition(protocols), "else": rule]
    }

    private static func typesRule(_ number: IPProtocol) -> SchemaValue {
        [
            "if": condition([number]),
            "then": ["properties": ["types": ["$ref": .text("#/$defs/\(number)Types")]]],
        ]
    }

    private static func condition(_ protocols: [IPProtocol]) -> SchemaValue {
        let spellings = protocols.flatMap { number -> [SchemaValue] in
            [.text("\(number)"), .number(Int(number.rawValue))]
        }
        return ["properties": ["protocol": ["enum": .list(spellings)]]]
    }

    private static func ports(_ kinds: [String]) -> SchemaValue {
        [
            "type": "array",
            "minItems": 1,
            "items": ["anyOf": .list(kinds.map { ["$ref": .text("#/$defs/\($0)")] })],
            "description": "Ports of the destination; without it, every port.",
        ]
    }

    private static func types(of number: IPProtocol) -> SchemaValue {
        let names = ICMPTypeNames.names(of: number).map { SchemaValue.text($0.name) }
        let byte: SchemaValue = ["type": "integer", "minimum": 0, "maximum": 255]
        let type: SchemaValue = ["anyOf": [["enum": .list(names)], byte]]
        return [
            "items": [
                "if": ["type": "object"],
                "then": [
                    "required": ["type", "code"],
                    "additionalProperties": false,
                    "properties": ["type": type, "code": byte],
                ],
                "else": type,
            ]
        ]
    }
}
