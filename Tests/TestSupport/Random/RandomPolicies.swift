public import Policy

/// Random policy files that are valid by construction, written as an operator writes them.
public struct RandomPolicies: Sendable {
    /// The text of every file, by path.
    public private(set) var texts: [String: String] = [:]
    var generator: SeededGenerator
    private var names = 0

    static let tenants = ["ant", "bee", "cat", "dog"]

    /// Starts with every tenant and some policies.
    public init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        replaceTenants()
        for _ in 0..<generator.number(0...14) { addPolicies() }
    }

    /// The files, parsed and checked.
    public func policySet() throws(PolicyErrors) -> PolicySet {
        var files: [PolicyFile] = []
        for (path, text) in texts.sorted(by: { $0.key < $1.key }) {
            files.append(try PolicyFile(parsing: text, path: path))
        }
        return try PolicySet(checking: files)
    }

    /// Changes one to three policy files; gives the paths that changed.
    public mutating func edit() -> Set<String> {
        var changed: Set<String> = []
        for _ in 0..<generator.number(1...3) {
            let paths = texts.keys.filter { $0.hasPrefix("policies/") }.sorted()
            switch generator.number(0...4) {
            case 0, 1: changed.insert(addPolicies())
            case 2 where !paths.isEmpty:
                let path = generator.pick(paths)
                texts[path] = nil
                changed.insert(path)
            case 3 where !paths.isEmpty: changed.formUnion(move(generator.pick(paths)))
            default:
                guard !paths.isEmpty else { continue }
                let path = generator.pick(paths)
                texts[path] = policies(at: path)
                changed.insert(path)
            }
        }
        return changed
    }

    /// Writes all tenants anew: other claims, labels, ports and settings.
    public mutating func replaceTenants() {
        let claims = assignments()
        for name in Self.tenants {
            texts["tenants/\(name).yaml"] = tenant(name, claims[name] ?? [])
        }
    }

    @discardableResult
    private mutating func addPolicies() -> String {
        names += 1
        let path = "policies/\(generator.pick(["a", "m", "z"]))\(names).yaml"
        texts[path] = policies(at: path)
        return path
    }

    private mutating func move(_ path: String) -> Set<String> {
        names += 1
        let next = "policies/moved\(names).yaml"
        texts[next] = texts[path]
        texts[path] = nil
        return [path, next]
    }

    /// One or two policies; their names don't follow the order of the files.
    private mutating func policies(at path: String) -> String {
        let count = generator.number(1...2)
        return (0..<count).map { _ in
            names += 1
            return policy("\(generator.pick(["fig", "kiwi", "plum"]))-\(names)")
        }.joined(separator: "---\n")
    }
}
