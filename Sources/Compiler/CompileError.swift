internal import Rules

/// Why an endpoint has not all that the policies say, and what it goes without.
public struct CompileError: Error, Hashable, Sendable {
    /// The map that would overflow, by its name in the kernel.
    public let map: String
    public let endpoint: String
    /// How many elements it would have.
    public let count: Int
    /// How many it may have.
    public let limit: Int
    /// The policy files that open nothing at the endpoint; the rest of the policies is in force there.
    public let omittedFiles: [String]
    /// The endpoints whose new addresses are unknown at this one; all else is in force there.
    public let omittedEndpoints: [String]

    /// How many elements a map may have: above it a transaction would hold up the packets of the
    /// endpoint for longer than a tenth of a second.
    public static let limit = 262_144

    init(
        _ overflow: Overflow, at endpoint: String, omittedFiles: [String] = [],
        omittedEndpoints: [String] = []
    ) {
        map = overflow.map
        count = overflow.count
        limit = overflow.limit
        self.endpoint = endpoint
        self.omittedFiles = omittedFiles
        self.omittedEndpoints = omittedEndpoints
    }
}

/// A map that would have too many elements.
struct Overflow: Error, Hashable {
    let map: String
    let count: Int
    let limit: Int

    /// - Throws: For the first map of a state that has more elements than a limit.
    static func check(_ state: EndpointState, _ limit: Int) throws(Overflow) {
        let sizes =
            [
                (Program.SetName.peers4, state.peers4.count),
                (Program.SetName.peers6, state.peers6.count),
                (Program.SetName.rules, state.rules.count),
            ] + state.admissionCounts.map { ($0.map, $0.count) }
        for (map, count) in sizes where count > limit {
            throw Overflow(map: map, count: count, limit: limit)
        }
    }
}

extension CompileError: CustomStringConvertible {
    /// What is wrong, what the endpoint goes without, and what to do, on one line.
    public var description: String {
        "endpoint '\(endpoint)': \(excess); \(consequence); fix: \(Self.fix)"
    }

    /// The map and its size, in words.
    public var excess: String {
        "map '\(map)' would hold \(count) elements, and the limit is \(limit)"
    }

    private var consequence: String {
        if !omittedEndpoints.isEmpty {
            return "new addresses are closed here: " + Self.list(omittedEndpoints)
        }
        return omittedFiles.isEmpty
            ? "nothing is open here" : "opens nothing here: " + Self.list(omittedFiles)
    }

    /// What to do about it.
    public static let fix =
        "narrow 'from' or 'to' of the policies to fewer tenants or endpoints, or list fewer networks and ports"

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(8).joined(separator: ", ")
        return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
    }
}
