internal import ArgumentParser
internal import Foundation
internal import Reports
internal import Settings

struct PrintConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print-config",
        abstract: "Show how an agent would be configured, and who says so.",
        discussion: """
            Takes the options of 'ringfence agent'. Options count before variables RINGFENCE_..., \
            these before the file, and the file before what counts where nobody says anything. A \
            wrong value is explained, and the exit status is 1.

            Example: ringfence print-config --config /etc/ringfence/agent.yaml
            """)

    @OptionGroup var options: AgentOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let sources = try options.sources(ProcessInfo.processInfo.environment)
        try output.show(try AgentOptions.orExplain(sources.report))
        for warning in sources.warnings { complain(warning) }
        _ = try AgentOptions.orExplain { () throws(SettingsError) in
            try AgentSettings(sources)
        }
    }
}
