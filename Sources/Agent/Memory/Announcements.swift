internal import FoundationEssentials
internal import Linux
internal import NetTypes
internal import Policy

/// A namespace that somebody said to be a tenant's, beside what the policy files say.
struct Announcement: Codable, Hashable {
    /// A mount, or a process that lives in the namespace.
    enum Place: Codable, Hashable {
        case path(String)
        case pid(Int32)
    }

    let place: Place
    /// What was there at the time: a later namespace of the same name is another.
    let id: NamespaceID
    let tenant: String
    let labels: [String: String]
    /// What the host says that the namespace is given; nil where it said nothing.
    var addresses: [IPAddress]?

    /// Whether the namespace that was found still has the name that it was announced by.
    func isOf(_ found: NamespaceSource.Found) -> Bool {
        switch place {
        case .path(let path): found.paths.contains(path)
        case .pid(let pid): found.pids.contains(pid)
        }
    }

    fileprivate var claim: EndpointClaim {
        let target: EndpointClaim.Target =
            switch place {
            case .path(let path): .path(path)
            case .pid(let pid): .pid(pid)
            }
        return EndpointClaim(
            target: target, labels: labels,
            place: SourcePlace(file: "announced", line: 1, column: 1))
    }
}

/// Every announcement that counts, kept over restarts of the agent.
struct Announcements {
    private let file: SealedFile
    private(set) var all: [Announcement.Place: Announcement] = [:]
    /// Why the last change could not be kept.
    private(set) var problem: String?
    /// What was wrong with the file that an earlier agent kept.
    let damage: Diagnostic?

    /// Reads what an earlier agent kept; a file that is damaged counts as none, which closes.
    init(directory: String) {
        file = SealedFile(path: directory + "/announced.json")
        do throws(SealedFile.Damage) {
            for entry in try file.decode([Announcement].self) ?? [] { all[entry.place] = entry }
            damage = nil
        } catch {
            damage = file.setAside(
                error.reason, "namespaces that were announced have to be announced again")
        }
    }

    /// What they claim, by tenant.
    var claims: [String: [EndpointClaim]] {
        Dictionary(grouping: all.values, by: \.tenant).mapValues { $0.map(\.claim) }
    }

    /// The addresses that the host says it has given to namespaces.
    var addresses: [NamespaceID: Set<IPAddress>] {
        all.values.reduce(into: [:]) { $0[$1.id, default: []].formUnion($1.addresses ?? []) }
    }

    /// Takes one in; answers whether that is news.
    mutating func add(_ announcement: Announcement) throws(SystemError) -> Bool {
        guard all[announcement.place] != announcement else { return false }
        all[announcement.place] = announcement
        try save()
        return true
    }

    /// Forgets a place; answers whether it was known.
    mutating func remove(_ place: Announcement.Place) throws(SystemError) -> Bool {
        guard all.removeValue(forKey: place) != nil else { return false }
        try save()
        return true
    }

    /// Forgets those that are not there any more.
    mutating func keep(where isThere: (Announcement) -> Bool) {
        let left = all.filter { isThere($0.value) }
        guard left.count != all.count else { return }
        all = left
        do throws(SystemError) {
            try save()
            problem = nil
        } catch {
            // The next start finds them gone as well.
            problem = "\(error)"
        }
    }

    private func save() throws(SystemError) {
        let entries = all.values.sorted { ($0.tenant, $0.id) < ($1.tenant, $1.id) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try file.write(entries, by: encoder)
    }
}
