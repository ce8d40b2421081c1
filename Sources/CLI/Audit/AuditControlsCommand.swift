internal import ArgumentParser
internal import Evidence
internal import Reports

struct AuditControlsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "controls",
        abstract: "Print which checks are evidence for which controls, to be edited.",
        discussion: """
            Example: ringfence audit controls > controls.json
            Then: ringfence audit --controls controls.json --report audit.html
            """)

    func run() throws { print(try ReportJSON.text(ControlMapping.standard), terminator: "") }
}

extension ControlMapping {
    /// The mapping of a file, or the one that comes with the program.
    static func read(_ path: String?) throws -> ControlMapping {
        guard let path else { return .standard }
        let bytes = try readFile(path)
        let mapping: ControlMapping
        do {
            mapping = try ReportJSON.read(ControlMapping.self, from: bytes)
        } catch {
            throw AuditTrouble(
                "\(path) is no mapping of controls: \(error)\n"
                    + "  fix: begin with what 'ringfence audit controls' prints")
        }
        let mistakes = mapping.mistakes
        guard mistakes.isEmpty else {
            throw AuditTrouble(mistakes.map { "\(path): \($0)" }.joined(separator: "\n"))
        }
        return mapping
    }
}
