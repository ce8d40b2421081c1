import Glibc
import Linux

/// Where a lab keeps what it has made, so that it can be taken down by anyone at any time.
struct LabFolder: Sendable {
    static let root = "/run/ringfence-lab"

    let name: String

    var path: String { "\(Self.root)/\(name)" }
    /// Every namespace mount that may exist, one a line; written before the first is made.
    var inventory: String { path + "/mounts" }
    var namespaces: String { path + "/ns" }
    var fabric: String { "\(path)/rf-\(name)" }
    /// The address translations, for `nft`, and what it had to say.
    var translations: String { path + "/nat.nft" }
    var translationLog: String { path + "/nat.log" }

    /// Makes the folder; false when it is there.
    func create() throws(SystemError) -> Bool {
        _ = mkdir(Self.root, 0o755)
        guard mkdir(path, 0o755) == 0 else {
            if errno == EEXIST { return false }
            throw SystemError("mkdir", on: path, code: errno)
        }
        try check("mkdir", on: namespaces) { mkdir(namespaces, 0o755) }
        return true
    }

    func write(inventory paths: [String]) throws(SystemError) {
        let text = paths.map { $0 + "\n" }.joined()
        try writeText(text, to: inventory, flags: O_WRONLY | O_CREAT | O_EXCL)
    }

    /// The mounts that may exist, without that of the fabric.
    func mounts() -> [String] {
        guard let text = try? readText(inventory) else { return [] }
        return text.split(separator: "\n").map(String.init)
    }

    /// Removes whatever is there; nothing is fine.
    func remove() throws(SystemError) {
        for file in [translations, translationLog, inventory] { _ = unlink(file) }
        for place in [namespaces, path] {
            guard rmdir(place) == 0 || errno == ENOENT else {
                throw SystemError("rmdir", on: place, code: errno)
            }
        }
    }
}
