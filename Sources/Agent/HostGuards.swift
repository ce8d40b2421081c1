internal import HostFilter
internal import Linux
internal import NetTypes

/// What the host filter has left in the BPF file system for one host namespace.
public struct HostGuards: Sendable {
    private let root: String
    private let host: UInt64
    private let namespace: String?

    /// - Parameters:
    ///   - root: Where the BPF file system is mounted.
    ///   - hostNamespace: The mount of the host namespace; nil is the caller's own.
    /// - Throws: What kept the namespace from being opened.
    public init(root: String = "/sys/fs/bpf", hostNamespace: String?) throws {
        let namespace =
            if let hostNamespace {
                try NetworkNamespace(at: hostNamespace)
            } else {
                try NetworkNamespace.current()
            }
        self.root = root
        host = namespace.id.inode
        self.namespace = hostNamespace
    }

    /// Whether anything stands at a veth.
    public var isPresent: Bool { HostFilter.isPresent(root: root, host: host) }

    /// Takes programs, links and maps away: everything passes from then on.
    ///
    /// - Throws: What kept the host namespace from being entered.
    public func remove() throws {
        guard let namespace else { return HostFilter.removeAll(root: root, host: host) }
        try NetworkNamespace(at: namespace).run { () throws(SystemError) in
            HostFilter.removeAll(root: root, host: host)
        }
    }
}
