import Glibc
import Linux
import NetTypes

extension Lab {
    /// Loads the address translations into the fabric with `nft`.
    func translate(
        _ translations: [LabTranslation], in fabric: borrowing NetworkNamespace
    ) throws(LabError) {
        let status = try system { () throws(SystemError) in
            try writeText(
                translations.script, to: folder.translations, flags: O_WRONLY | O_CREAT)
            let command = ["nft", "-f", folder.translations]
            return try fabric.run { () throws(SystemError) in
                try run(command, errorsTo: folder.translationLog)
            }
        }
        guard status == 0 else {
            throw .translation((try? readText(folder.translationLog)) ?? "")
        }
    }
}

extension [LabTranslation] {
    /// The commands for `nft`.
    var script: String {
        let destinations = compactMap(\.destinationRule).map { "        \($0)\n" }.joined()
        let sources = compactMap(\.sourceRule).map { "        \($0)\n" }.joined()
        return """
            table inet lab {
                chain prerouting {
                    type nat hook prerouting priority dstnat
            \(destinations)    }
                chain postrouting {
                    type nat hook postrouting priority srcnat
            \(sources)    }
            }

            """
    }
}

extension LabTranslation {
    fileprivate var destinationRule: String? {
        guard case .destination(let ipProtocol, let from, let port, let to, let toPort) = self
        else { return nil }
        let word = from.family.word
        let target = SocketAddress(to, port: toPort)
        return "\(word) daddr \(from) \(ipProtocol) dport \(port) dnat \(word) to \(target)"
    }

    fileprivate var sourceRule: String? {
        switch self {
        case .destination: nil
        case .source(let network, let to):
            "\(to.family.word) saddr \(network) snat \(to.family.word) to \(to)"
        case .masquerade(let network):
            "\(network.address.family.word) saddr \(network) masquerade"
        }
    }
}

extension AddressFamily {
    fileprivate var word: String { self == .v4 ? "ip" : "ip6" }
}

/// Runs a program to its end in the calling thread's namespace and answers its exit status.
///
/// The library call is `posix_spawnp`.
private func run(_ command: [String], errorsTo log: String) throws(SystemError) -> CInt {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    var arguments = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    let code = posix_spawnp(&pid, command[0], &actions, nil, &arguments, environ)
    guard code == 0 else { throw SystemError("posix_spawn", on: command[0], code: code) }
    var status: CInt = 0
    try check("waitpid", on: command[0]) { waitpid(pid, &status, 0) }
    return status
}
