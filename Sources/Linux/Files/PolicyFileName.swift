/// Whether a file of that name holds policies: `*.yaml` or `*.yml`, not hidden, and nothing that an
/// editor keeps for itself while it saves.
public func isPolicyFileName(_ name: some StringProtocol) -> Bool {
    // Backups and swap files of editors end otherwise (`a.yaml~`, `.a.yaml.swp`, `4913`); what
    // Emacs keeps starts with a dot or a number sign.
    guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "#")
    else { return false }
    return [".yaml", ".yml"].contains { name.utf8.count > $0.utf8.count && name.hasSuffix($0) }
}

/// Whether a name is not a policy file's, and may be meant for one: another spelling of the ending, or
/// another format.
func looksLikePolicyFileName(_ name: some StringProtocol) -> Bool {
    guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "#"),
        !isPolicyFileName(name)
    else { return false }
    let small = name.lowercased()
    return [".yaml", ".yml", ".json", ".yaml.txt", ".yml.txt", ".ymal", ".yalm", ".yam", ".yamll"]
        .contains { small.hasSuffix($0) }
}

/// Whether policies may lie in a directory of that name; hidden ones hold old or coming states.
func isPolicyDirectoryName(_ name: some StringProtocol) -> Bool { !name.hasPrefix(".") }
