/// One way through a directory tree: its policy files, and what stands in the way.
struct PolicyWalk {
    private(set) var files: [String] = []
    /// Every symbolic link, whatever its name.
    private(set) var links: [String] = []
    private(set) var problems: [String: PolicyDirectory.Problem] = [:]
    private let limits: PolicyDirectory.Limits
    private let enter: (String) -> Void

    /// Walks; `enter` is called with each directory before it is listed.
    init(
        of path: String, limits: PolicyDirectory.Limits,
        enter: @escaping (String) -> Void = { _ in }
    ) {
        self.limits = limits
        self.enter = enter
        walk(path, above: [])
    }

    private mutating func walk(_ path: String, above: [FileIdentity]) {
        do throws(PolicyDirectory.Problem) {
            let chain = try chain(to: path, above: above)
            do throws(SystemError) {
                enter(path)
                for entry in try entriesOfDirectory(path) { visit(entry, in: path, chain) }
            } catch {
                throw .system(error)
            }
        } catch {
            problems[path] = error
        }
    }

    /// The directories down to this one, which must not be one of them already.
    private func chain(
        to path: String, above: [FileIdentity]
    ) throws(PolicyDirectory.Problem) -> [FileIdentity] {
        guard above.count <= limits.depth else { throw .tooDeep(limit: limits.depth) }
        do throws(SystemError) {
            let identity = FileIdentity(try FileStatus(at: path).signature)
            if !above.contains(identity) { return above + [identity] }
        } catch {
            throw .system(error)
        }
        throw .loop
    }

    private mutating func visit(
        _ entry: DirectoryEntry, in directory: String, _ chain: [FileIdentity]
    ) {
        let path = joined(directory, entry.name)
        if entry.isLink { links.append(path) }
        let mayBeFile = isPolicyFileName(entry.name)
        guard mayBeFile || isPolicyDirectoryName(entry.name) else { return }
        do throws(SystemError) {
            if try FileStatus(at: path).kind == .directory {
                walk(path, above: chain)
            } else if mayBeFile {
                add(path)
            }
        } catch {
            // A file may go between the listing and the look; a link that leads nowhere stays.
            if mayBeFile, entry.isLink || !error.isAbsence { problems[path] = .system(error) }
        }
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
    /// Whether nothing has that name.
    var isAbsence: Bool { [2, 20].contains(code) }
}
