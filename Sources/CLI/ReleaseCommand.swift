internal import Agent
internal import ArgumentParser
internal import Glibc
internal import Policy

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Remove enforcement: everything passes afterwards.",
        discussion: """
            Names every namespace first, and asks. Nothing else that Ringfence does ever removes \
            enforcement. The agent has to be stopped. Looks where the agent's configuration file says, and \
            where tenants' policies name paths and processes.

            Example: ringfence release
            """)

    @OptionGroup var namespaces: NamespaceOptions
    @Flag(name: .shortAndLong, help: "Don't ask.") var yes = false

    func run() throws {
        let places = namespaces.resolved()
        // Policies with mistakes name what they can't be asked for.
        let claims =
            (PolicyReading(path: places.policies, at: AgentCommand.now()).policies?.tenants ?? [:])
            .values.flatMap(\.claims).map(\.target)
        let found = try Enforcement.all(
            folders: places.namespaceFolders,
            paths: claims.compactMap { if case .path(let path) = $0 { path } else { nil } },
            pids: places.pids
                + claims.compactMap { if case .pid(let pid) = $0 { pid } else { nil } })
        let guards = try HostGuards(hostNamespace: places.hostNamespace)
        if found.isEmpty, !guards.isPresent { return print("no namespace is enforced") }
        print("Enforcement will be removed from:")
        for enforcement in found { print("  \(enforcement.name)") }
        if guards.isPresent { print("  the host ends of the veths (host filter)") }
        if let owned = found.first(where: \.isOwned) {
            complain(
                "an agent is running and owns the table in \(owned.name)\n"
                    + "  fix: stop the agent first")
            throw ExitCode(1)
        }
        guard yes || isConfirmed() else {
            complain("nothing was removed\n  fix: answer 'yes', or give --yes")
            throw ExitCode(1)
        }
        var failures = 0
        for enforcement in found {
            do {
                try enforcement.release()
                print("released \(enforcement.name)")
            } catch {
                failures += 1
                complain("\(enforcement.name): \(error)")
            }
        }
        if guards.isPresent {
            do {
                try guards.remove()
                print("released the host ends of the veths")
            } catch {
                failures += 1
                complain("the host ends of the veths: \(error)")
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }

    private func isConfirmed() -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        print("Everything will pass in these namespaces. Go on? [yes/no] ", terminator: "")
        flushOutput()
        return readLine() == "yes"
    }
}
