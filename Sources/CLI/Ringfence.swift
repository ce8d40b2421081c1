internal import Agent
internal import ArgumentParser

/// Keeps the tenants of a Linux host apart.
struct Ringfence: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ringfence",
        abstract: "Keeps the tenants of a Linux host apart.",
        discussion: """
            Operators write allow rules between tenants in a policy directory; the agent compiles \
            them into one nftables ruleset per network namespace, keeps the kernel in that state, \
            and explains every refusal.

            Example: ringfence agent --policies /etc/ringfence/policies
            """,
        version: Agent.version,
        groupedSubcommands: [
            CommandGroup(
                name: "Enforce:",
                subcommands: [
                    AgentCommand.self, PrintConfigCommand.self, RunCommand.self,
                    HeldCommand.self, ConfirmEmptyCommand.self, ReleaseCommand.self,
                ]),
            CommandGroup(
                name: "Ask the agent:",
                subcommands: [
                    StatusCommand.self, ViolationsCommand.self, CountersCommand.self,
                    FlowsCommand.self, RulesCommand.self, MatrixCommand.self, TopCommand.self,
                    HistoryCommand.self, DriftCommand.self,
                ]),
            CommandGroup(
                name: "Prove it:", subcommands: [AuditCommand.self, VerifyCommand.self]),
            CommandGroup(name: "Work with kept history:", subcommands: [StoreCommand.self]),
            CommandGroup(
                name: "Work with policy files:",
                subcommands: [LintCommand.self, ExplainCommand.self, SchemaCommand.self]),
            CommandGroup(name: "Try it:", subcommands: [LabCommand.self]),
        ])
}
