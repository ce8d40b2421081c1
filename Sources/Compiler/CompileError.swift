internal import NetTypes
internal import Policy
internal import Rules

/// Why an endpoint's state can't be compiled.
public struct CompileError: Error, Hashable, Sendable {
    /// The map that would overflow, by its name in the kernel.
    public let map: String
    public let endpoint: String
    public let count: Int

    /// How many elements a map may have: above it a transaction would hold up the packets of the
    /// endpoint for longer than a tenth of a second.
    public static let limit = 262_144

    static func check(_ state: EndpointState, of endpoint: Endpoint) throws(CompileError) {
        let sizes =
            [
                (Program.SetName.peers4, state.peers4.count),
                (Program.SetName.peers6, state.peers6.count),
                (Program.SetName.rules, state.rules.count),
            ] + state.admissionCounts.map { ($0.map, $0.count) }
        for (map, count) in sizes where count > limit {
            throw CompileError(map: map, endpoint: endpoint.name, count: count)
        }
    }
}

extension CompileError: CustomStringConvertible {
    public var description: String {
        """
        endpoint '\(endpoint)': map '\(map)' would hold \(count) elements, the limit is \
        \(Self.limit)
          fix: name tenants by label or networks by prefix instead of single addresses, or join \
        port lists into ranges
        """
    }
}
