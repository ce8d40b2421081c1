internal import ArgumentParser

/// Where namespaces are looked for.
struct NamespaceOptions: ParsableArguments {
    @Option(
        name: .customLong("namespaces"),
        help: ArgumentHelp(
            "A folder of namespace mounts; may be given several times.", valueName: "folder"))
    var given: [String] = []

    @Option(help: ArgumentHelp("A process whose namespace is looked at as well.", valueName: "pid"))
    var pid: [Int32] = []

    var folders: [String] { given.isEmpty ? ["/run/netns"] : given }
}
