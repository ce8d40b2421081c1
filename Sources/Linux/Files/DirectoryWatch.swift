/// Everything that one watched directory is watched for; it may have several paths.
struct DirectoryWatch: Hashable, Sendable {
    /// One of its paths.
    let path: String
    /// The paths by which it belongs to the tree.
    var directories: Set<String> = []
    /// Files in it that links in the tree lead to: by name, the paths of the links.
    var targets: [String: Set<String>] = [:]
    /// Names that decide where the path of the tree, or of something in it, leads.
    var signposts: Set<String> = []

    init(path: String) { self.path = path }

    /// The paths in the tree that a name in the directory stands for.
    func paths(of name: String) -> Set<String> {
        let own = isPolicyFileName(name) ? directories.map { joined($0, name) } : []
        return (targets[name] ?? []).union(own)
    }
}
