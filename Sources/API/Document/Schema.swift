internal import Policy

/// How schemas are put together from few words.
extension SchemaValue {
    /// An object with fields that are always there, and others that may be left out; it has no more.
    static func record(
        _ description: String, _ fields: KeyValuePairs<String, SchemaValue>,
        optional: KeyValuePairs<String, SchemaValue> = [:]
    ) -> SchemaValue {
        let names = fields.map { SchemaValue.text($0.key) }
        return [
            "type": "object", "description": .text(description),
            "properties": .object(
                fields.map { ($0.key, $0.value) } + optional.map { ($0.key, $0.value) }),
            "required": .list(names), "additionalProperties": false,
        ]
    }

    /// One of the schemas by its name.
    static func named(_ name: String) -> SchemaValue {
        ["$ref": .text("#/components/schemas/\(name)")]
    }

    static func list(of items: SchemaValue) -> SchemaValue { ["type": "array", "items": items] }

    /// An object with any names, whose values are alike.
    static func map(of values: SchemaValue) -> SchemaValue {
        ["type": "object", "additionalProperties": values]
    }

    static func string(_ description: String? = nil) -> SchemaValue {
        .object(
            [("type", "string")] + (description.map { [("description", .text($0))] } ?? []))
    }

    static func pattern(_ pattern: String, _ description: String? = nil) -> SchemaValue {
        .object(
            [("type", "string"), ("pattern", .text(pattern))]
                + (description.map { [("description", .text($0))] } ?? []))
    }

    /// The raw values of an enumeration.
    static func words<Word: CaseIterable & RawRepresentable>(
        _ type: Word.Type
    ) -> SchemaValue where Word.RawValue == String {
        ["type": "string", "enum": .list(Word.allCases.map { .text($0.rawValue) })]
    }

    static func words(_ words: String...) -> SchemaValue {
        ["type": "string", "enum": .list(words.map { .text($0) })]
    }

    static func integer(_ range: ClosedRange<Int>? = nil) -> SchemaValue {
        .object(
            [("type", "integer")]
                + (range.map {
                    [("minimum", .number($0.lowerBound)), ("maximum", .number($0.upperBound))]
                } ?? []))
    }

    /// A number of something: whole, and never negative.
    static let count: SchemaValue = ["type": "integer", "minimum": 0]
    static let number: SchemaValue = ["type": "number"]
    static let flag: SchemaValue = ["type": "boolean"]
    static let moment: SchemaValue = ["type": "string", "format": "date-time"]
    static let address: SchemaValue = [
        "type": "string",
        "anyOf": [["format": "ipv4"], ["format": "ipv6"]],
    ]
    static let port: SchemaValue = .integer(0...65_535)
    static let byte: SchemaValue = .integer(0...255)
}
