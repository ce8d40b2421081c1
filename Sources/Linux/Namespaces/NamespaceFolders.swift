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

    /// The namespaces that are mounted now, by path; whatever else lies there is passed over.
    public borrowing func mounts() -> [NamespaceMount] {
        folders.flatMap { folder in
            ((try? entriesOfDirectory(folder)) ?? []).compactMap { mount(joined(folder, $0.name)) }
        }
    }

    /// Looks at a path without opening what is no namespace.
    private borrowing func mount(_ path: String) -> NamespaceMount? {
        guard let status = try? FileStatus(at: path), status.signature.device == volume,
            let id = try? NetworkNamespace(at: path).id
        else { return nil }
        return NamespaceMount(path: path, id: id)
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
