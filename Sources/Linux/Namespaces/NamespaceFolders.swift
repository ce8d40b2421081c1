private import Glibc
public import NetTypes

/// A name of a network namespace in the file system.
public struct NamespaceMount: Hashable, Sendable {
    public let path: String
    public let id: NamespaceID

    public init(path: String, id: NamespaceID) {
        self.path = path
        self.id = id
    }
}

/// Folders in which programs mount network namespaces, such as `/run/netns`.
public struct NamespaceFolders: ~Copyable, Sendable {
    public let folders: [String]
    private let inotify: Inotify
    private let mountTable: Descriptor
    private let volume: UInt64

    /// Readable when names come and go.
    public var namesDescriptor: CInt { inotify.descriptor.rawValue }

    /// Has something of `Poller.Interest.priority` when mounts come and go: a name exists before
    /// the namespace is mounted on it.
    public var mountsDescriptor: CInt { mountTable.rawValue }

    /// A folder may be absent and come later.
    public init(_ folders: [String]) throws(SystemError) {
        let inotify = try Inotify()
        try Self.watch(folders, with: inotify)
        let mountTable = try Descriptor(opening: "/proc/self/mountinfo")
        let volume = try FileStatus(at: "/proc/self/ns/net").signature.device
        self.folders = folders
        self.inotify = inotify
        self.mountTable = mountTable
        self.volume = volume
    }

    /// Takes all news of the folders and never waits; list them afterwards.
    public borrowing func drain() throws(SystemError) {
        var rounds = 0
        while try !inotify.read().isEmpty, rounds < 64 { rounds += 1 }
        try Self.watch(folders, with: inotify)
    }

    /// What one look at the folders found.
    public struct Look: Sendable {
        /// The namespaces that are mounted, by path; whatever else lies there is passed over.
        public fileprivate(set) var mounts: [NamespaceMount] = []
        /// Paths at which no namespace is mounted: files, folders, links that lead to nothing.
        public fileprivate(set) var others: [String] = []
        /// Folders and names that could not be looked at, which says nothing about what is there.
        public fileprivate(set) var doubts: [String: SystemError] = [:]
    }

    /// The namespaces that are mounted now, as far as they can be looked at.
    public borrowing func mounts() -> [NamespaceMount] { look().mounts }

    /// Looks at every name in the folders; a folder that is absent holds nothing.
    public borrowing func look() -> Look {
        var look = Look()
        for folder in folders {
            do throws(SystemError) {
                let entries = try persistently { () throws(SystemError) in
                    try entriesOfDirectory(folder)
                }
                for entry in entries {
                    self.look(at: joined(folder, entry.name), &look)
                }
            } catch {
                if !error.saysNothingIsThere { look.doubts[folder] = error }
            }
        }
        return look
    }

    /// Looks at a path without opening what is no namespace.
    private borrowing func look(at path: String, _ look: inout Look) {
        do throws(SystemError) {
            let found = try persistently { () throws(SystemError) -> NamespaceID? in
                guard try FileStatus(at: path).signature.device == volume else { return nil }
                return try NetworkNamespace(at: path).id
            }
            guard let found else { return look.others.append(path) }
            look.mounts.append(NamespaceMount(path: path, id: found))
        } catch {
            if error.saysNothingIsThere {
                look.others.append(path)
            } else {
                look.doubts[path] = error
            }
        }
    }

    private static func watch(
        _ folders: [String], with inotify: borrowing Inotify
    ) throws(SystemError) {
        for folder in folders {
            let bits = [IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO]
            _ = try Inotify.add(folder, bits, to: inotify.descriptor.rawValue)
        }
    }
}

/// Whether a path is a symbolic link, as `/proc/PID/ns/net` is one.
///
/// The system call is `lstat`.
///
/// - Returns: False also where nothing is there or it can't be looked at.
public func isSymbolicLink(_ path: String) -> Bool {
    do throws(SystemError) {
        return try FileStatus(ofLink: path).kind == .link
    } catch {
        return false
    }
}

extension SystemError {
    /// Whether it means that there is nothing, or no namespace, rather than that nobody could look.
    ///
    /// EINVAL is what `NetworkNamespace` says of other files, ESRCH what a process is that ended.
    public var saysNothingIsThere: Bool {
        [ENOENT, ENOTDIR, ELOOP, EINVAL, ESRCH].contains(code)
    }
}
