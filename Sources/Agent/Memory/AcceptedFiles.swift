internal import Glibc
internal import Linux
internal import Policy

/// The policy files that are in force, kept as they were accepted.
///
/// They stand in the state directory under the path that they came from, so that an agent that
/// starts over a bad file knows what that file said while it was good, and `diff -r` shows what
/// of a directory is not in force. Beside each, in a directory of their own, stands the SHA-256 of
/// what it holds: what doesn't agree is not believed.
struct AcceptedFiles {
    private let limits: PolicyDirectory.Limits
    /// What stands before a file's path in the path of what is kept of it.
    private let folder: String
    /// Where all checksums are.
    private let root: String
    /// What stands before a file's path in the path of its checksums.
    private let sums: String
    private let source: String

    /// - Parameters:
    ///   - directory: The agent's state directory.
    ///   - policies: The directory of policy files.
    init(directory: String, policies: PolicyDirectory) {
        var absolute = policies.path
        if !absolute.hasPrefix("/"), let current = unsafe getcwd(nil, 0) {
            absolute = unsafe String(cString: current) + "/" + absolute
            unsafe free(current)
        }
        folder = directory + "/in-force" + absolute
        root = directory + "/in-force.sha256"
        sums = root + absolute
        limits = policies.limits
        source = policies.path
    }

    /// What is kept.
    struct Kept {
        /// By the path in the policy directory: the bytes of every file.
        var files: [String: [UInt8]] = [:]
        /// By the same path: files that may not be believed, which were put aside.
        var damaged: [String: Diagnostic] = [:]
    }

    /// Reads all that is kept; what is damaged is put aside.
    ///
    /// - Throws: What kept checksums from being written for files that an earlier version kept.
    func read() throws(SystemError) -> Kept {
        var kept = Kept()
        let snapshot = PolicyDirectory(folder, limits: limits).snapshot()
        let isSummed = access(root, F_OK) == 0
        let written = PolicyDirectory(sums, limits: limits).snapshot().files
        for (path, file) in snapshot.files {
            let name = path.dropFirst(folder.count)
            let digest = SealedFile.digest(of: file.bytes)
            if !isSummed || Self.digests(written[sums + name]?.bytes).contains(digest) {
                kept.files[source + name] = file.bytes
            } else {
                kept.damaged[source + name] = setAside(
                    path, "its SHA-256 is not the one kept for it")
            }
        }
        for (path, problem) in snapshot.problems where path.hasPrefix(folder + "/") {
            kept.damaged[source + path.dropFirst(folder.count)] = setAside(path, problem.message)
        }
        for path in written.keys {
            let name = path.dropFirst(sums.count)
            guard kept.files[source + name] == nil, kept.damaged[source + name] == nil else {
                continue
            }
            kept.damaged[source + name] = setAside(folder + name, "the file is gone")
        }
        if !isSummed, !kept.files.isEmpty { try sumAll(kept.files) }
        return kept
    }

    private func setAside(_ path: String, _ reason: String) -> Diagnostic {
        SealedFile.setAside(
            path, reason, "what the policy file said when it was last good is not in force")
    }

    /// Writes the checksums of files that an earlier version kept without: all or none.
    private func sumAll(_ files: [String: [UInt8]]) throws(SystemError) {
        let unfinished = root + ".new"
        for (path, bytes) in files {
            let line = SealedFile.digest(of: bytes) + "\n"
            let place = unfinished + sum(of: path).dropFirst(root.count)
            try replaceFile(at: place, with: Array(line.utf8))
        }
        _ = try check("rename", on: root) { rename(unfinished, root) }
    }

    /// The checksums that are written down for a file: of what it is, and of what it was before if an
    /// agent was killed while it wrote.
    private static func digests(_ bytes: [UInt8]?) -> [String] {
        String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func sum(of original: String) -> String { sums + original.dropFirst(source.count) }

    /// Keeps files as they are now; nil is one that is gone.
    ///
    /// The checksum is written first, beside that of what the file holds before: whenever an agent is
    /// killed, the file agrees with one of both.
    func keep(_ files: [String: [UInt8]?]) throws(SystemError) {
        for (path, bytes) in files {
            let kept = folder + path.dropFirst(source.count)
            guard let bytes else {
                try removeFile(at: kept)
                try removeFile(at: sum(of: path))
                continue
            }
            let former = try? contents(of: kept).map { SealedFile.digest(of: $0) }
            // What can't be read agrees with nothing.
            let written = (try? contents(of: sum(of: path))).map { Self.digests($0) } ?? []
            let before = former.flatMap { written.contains($0) ? $0 : nil }
            let lines = [SealedFile.digest(of: bytes), before].compactMap(\.self)
            try replaceFile(
                at: sum(of: path), with: Array((lines.joined(separator: "\n") + "\n").utf8))
            try replaceFile(at: kept, with: bytes)
        }
    }
}
