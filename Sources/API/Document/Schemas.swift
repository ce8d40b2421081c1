internal import Policy

/// What answers look like, as JSON Schema.
enum Schemas {
    static let all: SchemaValue = .object(parts + status + traffic + past)
}
