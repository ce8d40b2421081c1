internal import Agent
internal import ArgumentParser
internal import Glibc

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Remove enforcement: everything passes afterwards.",
        discussion: """
            Names every namespace first, and asks. Nothing else that Ringfence does ever removes \
            enforcement. The agent has to be stopped.

            Example: ringfence release --namespaces /run/netns
            """)

    @OptionGroup var namespaces: NamespaceOptions
    @Option(
        help: ArgumentHelp(
            "The mount of the namespace that holds the host ends of the veths (default: this one).",
            valueName: "path"))
    var hostNamespace: String?

    @Flag(name: .shortAndLong, help: "Don't ask.") var yes = false

    func run() throws {
        let found = try Enforcement.all(folders: namespaces.folders, pids: namespaces.pid)
        let guards = try HostGuards(hostNamespace: hostNamespace)
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
