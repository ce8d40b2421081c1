/// Finds the tenants that claim a namespace, in a time that hardly grows with their number.
struct ClaimIndex {
    /// One claim of one tenant; `order` counts the tenant's claims.
    struct Match: Hashable {
        let tenant: String
        let order: Int
    }

    private struct Pattern {
        let glob: Glob
        let match: Match
    }

    private var names: [Substring: [Match]] = [:]
    private var paths: [String: [Match]] = [:]
    private var pids: [Int32: [Match]] = [:]
    /// By what stands before the first wildcard.
    private var patterns: [Substring: [Pattern]] = [:]
    private var greatestPrefix = 0

    init(_ tenants: some Sequence<Tenant>) {
        for tenant in tenants {
            for (order, claim) in tenant.claims.enumerated() {
                add(claim.target, Match(tenant: tenant.name, order: order))
            }
        }
    }

    private mutating func add(_ target: EndpointClaim.Target, _ match: Match) {
        switch target {
        case .path(let path): paths[path, default: []].append(match)
        case .pid(let pid): pids[pid, default: []].append(match)
        case .name(let name) where Glob.isLiteral(name):
            names[name[...], default: []].append(match)
        case .name(let name):
            // A bracket that isn't closed matches nothing; the reader refuses it.
            guard let glob = Glob(name) else { return }
            let prefix = Glob.literalPrefix(of: name)
            patterns[prefix, default: []].append(Pattern(glob: glob, match: match))
            greatestPrefix = max(greatestPrefix, prefix.unicodeScalars.count)
        }
    }

    /// Every claim that means the namespace.
    func matches(_ namespace: ObservedNamespace) -> Set<Match> {
        var matches: Set<Match> = []
        for path in namespace.paths {
            matches.formUnion(paths[path] ?? [])
            let name = path.lastPathComponent
            matches.formUnion(names[name] ?? [])
            addPatterns(matching: name, to: &matches)
        }
        for pid in namespace.pids { matches.formUnion(pids[pid] ?? []) }
        return matches
    }

    private func addPatterns(matching name: Substring, to matches: inout Set<Match>) {
        guard !patterns.isEmpty else { return }
        let whole = String(name)
        var end = name.startIndex
        for _ in 0...greatestPrefix {
            for pattern in patterns[name[..<end]] ?? [] where pattern.glob.matches(whole) {
                matches.insert(pattern.match)
            }
            guard end < name.endIndex else { return }
            end = name.unicodeScalars.index(after: end)
        }
    }
}

extension Glob {
    /// What stands before the first wildcard.
    fileprivate static func literalPrefix(of pattern: String) -> Substring {
        let wildcards: Set<Unicode.Scalar> = ["*", "?", "["]
        let end = pattern.unicodeScalars.firstIndex(where: wildcards.contains)
        return pattern[..<(end ?? pattern.endIndex)]
    }
}

extension String {
    /// What follows the last slash.
    var lastPathComponent: Substring {
        utf8.lastIndex(of: UInt8(ascii: "/")).map { self[utf8.index(after: $0)...] } ?? self[...]
    }
}
