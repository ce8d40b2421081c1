/// One way through a directory tree: its policy files, and what stands in the way.
///
/// A directory that several links lead to is read once, and by its own name if it has one in the
/// tree; so links can't make a loop, or a small tree look large.
struct PolicyWalk {
    /// Sorted.
    private(set) var files: [String] = []
    /// Every link that a policy file or a directory of the tree may be reached by.
    private(set) var links: [String] = []
    /// Those of the links that lead to directories.
    private(set) var directoryLinks: [(path: String, depth: Int)] = []
    private(set) var problems: [String: PolicyDirectory.Problem] = [:]
    /// Files that are no policy files by their names, and look as if they should be; not very many of them.
    private(set) var ignored: [String] = []
    private static let mostIgnored = 1000
    private let limits: PolicyDirectory.Limits
    private let enter: (String) -> Void
    private var visited: Set<FileIdentity> = []

    /// Walks; `enter` is called with each directory before it is listed.
    init(
        of path: String, limits: PolicyDirectory.Limits,
        enter: @escaping (String) -> Void = { _ in }
    ) {
        self.limits = limits
        self.enter = enter
        walk(path, depth: 0)
        var next = 0
        while next < directoryLinks.count {
            walk(directoryLinks[next].path, depth: directoryLinks[next].depth)
            next += 1
        }
        files.sort()
    }

    private mutating func walk(_ path: String, depth: Int) {
        do throws(SystemError) {
            let status = try FileStatus(at: path)
            guard visited.insert(FileIdentity(status.signature)).inserted else { return }
            guard depth <= limits.depth else {
                problems[path] = .tooDeep(limit: limits.depth)
                return
            }
            do throws(PolicyDirectory.Problem) {
                try status.requireTrust()
            } catch {
                problems[path] = error
                // What comes right later has to be seen.
                return enter(path)
            }
            enter(path)
            let entries = try persistently { () throws(SystemError) in
                try entriesOfDirectory(path)
            }
            for entry in entries { visit(entry, in: path, depth) }
        } catch {
            problems[path] = .system(error)
        }
    }

    private mutating func visit(_ entry: DirectoryEntry, in directory: String, _ depth: Int) {
        let path = joined(directory, entry.name)
        let mayBeFile = isPolicyFileName(entry.name)
        if !mayBeFile, looksLikePolicyFileName(entry.name) { ignore(path) }
        guard mayBeFile || isPolicyDirectoryName(entry.name) else { return }
        if entry.isLink { links.append(path) }
        do throws(SystemError) {
            if try FileStatus(at: path).kind != .directory {
                if mayBeFile { add(path) }
            } else if entry.isLink {
                directoryLinks.append((path, depth + 1))
            } else {
                walk(path, depth: depth + 1)
            }
        } catch {
            // A file may go between the listing and the look; a link that leads nowhere stays.
            if mayBeFile, entry.isLink || !error.isAbsence { problems[path] = .system(error) }
        }
    }

    private mutating func ignore(_ path: String) {
        guard ignored.count < Self.mostIgnored, (try? FileStatus(at: path))?.kind == .regular
        else { return }
        ignored.append(path)
    }

    private mutating func add(_ path: String) {
        if files.count < limits.files {
            files.append(path)
        } else {
            problems[path] = .tooManyFiles(limit: limits.files)
        }
    }
}

/// The file behind a name, whatever the name.
private struct FileIdentity: Hashable {
    let device: UInt64
    let inode: UInt64

    init(_ signature: FileSignature) {
        device = signature.device
        inode = signature.inode
    }
}

extension SystemError {
    /// Whether nothing has that name: ENOENT or ENOTDIR.
    var isAbsence: Bool { [2, 20].contains(code) }
}
