extension PolicyDirectory {
    /// Which directory a path leads to: mounting another one over it, or replacing it, changes this.
    public struct Identity: Hashable, Sendable {
        private let device: UInt64
        private let inode: UInt64

        fileprivate init(_ signature: FileSignature) {
            device = signature.device
            inode = signature.inode
        }
    }

    /// The directory that the path leads to now; nil where it leads to none.
    public var identity: Identity? { (try? FileSignature(at: path)).map { Identity($0) } }

    /// Whether the tree holds a policy file now, readable or not.
    public var holdsFiles: Bool {
        let walk = PolicyWalk(of: path, limits: limits)
        return !walk.files.isEmpty || walk.problems.keys.contains { $0 != path }
    }
}
