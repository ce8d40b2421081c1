internal import ArgumentParser
internal import Policy

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of policy documents, for editors.",
        discussion: "Example: ringfence schema > ringfence.schema.json")

    func run() { print(PolicySchema.text) }
}
