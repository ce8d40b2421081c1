internal import HashTreeCollections

/// The files of a policy set, by path.
///
/// A change makes a new set beside the one in force, and shares with it what stays: a plain dictionary
/// would be copied, which for a thousand files took a seventh of the time of a change.
public struct PolicyFiles: Hashable, Sendable {
    private var tree: TreeDictionary<String, PolicyFile>

    /// Of two files with one path the later stays.
    public init(_ files: some Sequence<PolicyFile>) {
        tree = TreeDictionary(files.map { ($0.path, $0) }, uniquingKeysWith: { $1 })
    }

    /// The file at a path; nil where there is none.
    public subscript(path: String) -> PolicyFile? {
        get { tree[path] }
        set { tree[path] = newValue }
    }

    public var count: Int { tree.count }
    public var isEmpty: Bool { tree.isEmpty }

    /// In no particular order.
    public var paths: [String] { Array(tree.keys) }
    /// In no particular order.
    public var values: [PolicyFile] { Array(tree.values) }
    /// In the order of their paths.
    public var inOrder: [PolicyFile] { tree.values.sorted { $0.path < $1.path } }
}
