internal import Agent
internal import ArgumentParser
internal import Glibc
internal import Lab
internal import Policy
internal import Reports

struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Build throw-away tenants on this machine, and try every way between them.",
        discussion: """
            A lab is a handful of network namespaces joined by one of their own: nothing of it \
            touches the machine's network. Needs root.

            Example: ringfence lab up lab/demo.yaml
            """,
        subcommands: [
            LabUpCommand.self, LabDownCommand.self, LabExecCommand.self, LabProbeCommand.self,
            LabListCommand.self,
        ])
}

struct LabUpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Build the lab that a file describes.",
        discussion: "Example: ringfence lab up lab/demo.yaml")

    @Argument(help: "A file of kind Lab.") var file: String

    @Option(
        help: ArgumentHelp(
            "Where the namespaces are mounted, such as /run/netns (default: the lab's own folder).",
            valueName: "folder"))
    var namespaces: String?

    func run() throws {
        let lab = try telling {
            let topology = try LabTopology(readingFile: file)
            return try Lab.up(topology, namespaceFolder: namespaces)
        }
        print(
            """
            lab '\(lab.name)' is up: \(lab.namespacePaths.count) namespaces
            enforce policies in it:
              ringfence agent --policies policies \
            --namespaces \(namespaces ?? lab.namespaceFolder) --host-namespace \(lab.fabricPath)
            """)
    }
}

struct LabDownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Remove a lab, and everything in it.",
        discussion: """
            Programs that still run in its namespaces lose their network, and go on.

            Example: ringfence lab down demo
            """)

    @Argument(help: "The lab's name, or its file.") var lab: String

    func run() throws {
        try telling {
            let isFile = lab.contains("/") || lab.hasSuffix(".yaml") || lab.hasSuffix(".yml")
            let name = isFile ? try LabTopology(readingFile: lab).name : lab
            guard Lab.all().contains(name) else {
                throw LabTrouble("there is no lab '\(name)'", fix: "see 'ringfence lab list'")
            }
            let lab = Lab(named: name)
            // What is pinned for the lab's host would outlive it.
            try? HostGuards(hostNamespace: lab.fabricPath).remove()
            try lab.down()
        }
    }
}

struct LabExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command inside a namespace of a lab.",
        discussion: """
            The host of a lab is called rf-LAB. Where two labs have a namespace of one name, \
            write LAB/NAMESPACE.

            Example: ringfence lab exec shop-web-1 -- ping -c 1 10.77.0.4
            """)

    @Argument(help: "The namespace.") var namespace: String
    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String] = []

    func run() throws {
        try telling {
            let (lab, name) = try place()
            try lab.execute(command, in: name)
        }
    }

    func validate() throws {
        guard command.isEmpty else { return }
        throw ValidationError("write the command after '--'")
    }

    private func place() throws -> (lab: Lab, namespace: String) {
        let parts = namespace.split(separator: "/", maxSplits: 1).map(String.init)
        if parts.count == 2 { return (Lab(named: parts[0]), parts[1]) }
        let labs = Lab.all().map { Lab(named: $0) }.filter { (try? $0.path(of: namespace)) != nil }
        guard let lab = labs.first else {
            throw LabTrouble(
                "no lab has a namespace '\(namespace)'", fix: "see 'ringfence lab list'")
        }
        guard labs.count == 1 else {
            throw LabTrouble(
                "several labs have a namespace '\(namespace)'",
                fix: "write '\(lab.name)/\(namespace)'")
        }
        return (lab, namespace)
    }
}

struct LabListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show the labs that are up, and their namespaces.",
        discussion: "Example: ringfence lab list --output json")

    @OptionGroup var output: OutputOptions

    func run() throws { try output.show(LabList(labs: Lab.all().map { LabEntry(Lab(named: $0)) })) }
}

/// A mistake that no module below knows of.
struct LabTrouble: Error, CustomStringConvertible {
    let description: String

    init(_ message: String, fix: String) { description = "\(message)\n  fix: \(fix)" }
}

/// Does the work; an error is printed as it is, and exits with 1.
func telling<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let exit as ExitCode {
        throw exit
    } catch let errors as PolicyErrors {
        complain(errors.description)
    } catch {
        complain("\(error)")
    }
    throw ExitCode(1)
}
