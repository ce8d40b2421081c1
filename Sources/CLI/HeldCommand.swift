internal import API
internal import ArgumentParser
internal import Reports

struct HeldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "held",
        abstract: "Release a link that stays closed after its endpoint is gone.",
        discussion: """
            A host end of a veth that was ever an endpoint's stays closed until the link is gone, an endpoint \
            is there again, or it is released. 'ringfence status' lists these links.

            Example: ringfence held release veth7
            """,
        subcommands: [HeldReleaseCommand.self])
}

struct HeldReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Open a held link: every packet passes there afterwards.",
        discussion: "Example: ringfence held release veth7")

    @OptionGroup var socket: SocketOptions
    @Argument(help: "The link's name in the host namespace, as 'ringfence status' shows it.")
    var link: String

    func run() async throws {
        try await answer {
            try await socket.client.releaseLink(LinkReleaseRequest(link: link))
        }
        print("released \(link)")
    }
}

struct ConfirmEmptyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm-empty",
        abstract: "Confirm that the policy directory is meant to be empty: every rule ends.",
        discussion: """
            When the policy directory holds no file any more, the agent keeps the last good state in force: the \
            directory may have been unmounted or replaced. This command ends that state.

            Example: ringfence confirm-empty
            """)

    @OptionGroup var socket: SocketOptions

    func run() async throws {
        try await answer { try await socket.client.confirmEmptyDirectory() }
        print("confirmed; no policy is in force")
    }
}
