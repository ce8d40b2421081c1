public import NetTypes
public import Policy
public import Rules

/// The compiled state of every endpoint, and what it takes to follow a change of one file without
/// compiling the rest again.
///
/// Equal policies and topologies give equal states, whatever the way that led to them, as long as every map
/// is large enough.
public struct Compilation: Sendable {
    public private(set) var policies: PolicySet
    public let topology: Topology
    public internal(set) var states: [NamespaceID: EndpointState] = [:]
    /// What endpoints go without because a map of theirs would overflow.
    public internal(set) var errors: [NamespaceID: CompileError] = [:]

    /// How many elements a map may have.
    let limit: Int
    private var resolver: Resolver
    private let indexOfEndpoint: [NamespaceID: Int]
    var openingsOfFile: [String: [Int: [Opening]]] = [:]
    var filesOfEndpoint: [Set<String>]
    /// By index of the endpoint; many share one.
    private var compiled: [CompiledOpenings?]
    /// The addresses that were known when everything still fitted, for endpoints that don't know the
    /// addresses that came since.
    var knownAddresses: [NamespaceID: Set<IPAddress>] = [:]

    /// Calls a body for every index below a count, perhaps on several processors at once.
    public typealias Loop = (Int, @Sendable (Int) -> CompiledOpenings) -> [CompiledOpenings]

    /// - Parameters:
    ///   - policies: What is to be in force.
    ///   - topology: Who lives where.
    ///   - earlier: A compilation for an earlier topology or of earlier policies: what it has in common with
    ///     this one isn't compiled again, and where a map would overflow now, the addresses that are new
    ///     since then are left out.
    ///   - limit: How many elements a map may have.
    ///   - loop: How to compile several endpoints.
    public init(
        of policies: PolicySet, for topology: Topology, after earlier: Compilation? = nil,
        limit: Int = CompileError.limit, loop: Loop = { (0..<$0).map($1) }
    ) {
        self.policies = policies
        self.topology = topology
        self.limit = limit
        resolver = Resolver(tenants: policies.tenants, topology: topology)
        filesOfEndpoint = Array(repeating: [], count: topology.endpoints.count)
        compiled = Array(repeating: nil, count: topology.endpoints.count)
        indexOfEndpoint = Dictionary(
            uniqueKeysWithValues: zip(topology.endpoints.map(\.id), topology.endpoints.indices))
        for file in policies.files.values {
            place(resolver.openings(of: file), of: file.path)
        }
        compile(
            topology.endpoints.indices, after: earlier,
            known: earlier?.compiled.compactMap(\.self) ?? [], loop)
    }

    /// The endpoint that a namespace is; nil if no tenant claims it.
    public func endpoint(_ id: NamespaceID) -> Endpoint? {
        indexOfEndpoint[id].map { topology.endpoints[$0] }
    }

    /// Follows a change of some files; gives the endpoints whose state is another now.
    ///
    /// Costs what the changed files touch as long as tenants stay as they are, else everything.
    public mutating func follow(
        _ next: PolicySet, changed paths: Set<String>
    ) -> Set<NamespaceID> {
        let before = states
        guard next.tenants == policies.tenants else {
            self = Compilation(of: next, for: topology, after: self, limit: limit)
            return Set(topology.endpoints.map(\.id).filter { states[$0] != before[$0] })
        }
        policies = next
        let touched = replace(paths)
        compile(touched, after: self, known: []) { (0..<$0).map($1) }
        return Set(touched.map { topology.endpoints[$0].id }.filter { states[$0] != before[$0] })
    }

    /// Takes the changed files over; gives the endpoints for which they open something else now.
    private mutating func replace(_ paths: Set<String>) -> Set<Int> {
        var touched: Set<Int> = []
        for path in paths {
            let before = openingsOfFile[path] ?? [:]
            for index in before.keys { filesOfEndpoint[index].remove(path) }
            openingsOfFile[path] = nil
            let after = policies.files[path].map { resolver.openings(of: $0) } ?? [:]
            for index in Set(before.keys).union(after.keys)
            where !Opening.areAlike(before[index] ?? [], after[index] ?? []) {
                touched.insert(index)
            }
            if !after.isEmpty { place(after, of: path) }
        }
        return touched
    }

    mutating func setPeers(
        of id: NamespaceID, _ peers4: [PeerRange<UInt32>], _ peers6: [PeerRange<UInt128>]
    ) {
        states[id]?.peers4 = peers4
        states[id]?.peers6 = peers6
    }

    private mutating func place(_ openings: [Int: [Opening]], of path: String) {
        for index in openings.keys { filesOfEndpoint[index].insert(path) }
        openingsOfFile[path] = openings
    }

    func openings(at index: Int, without omitted: Set<String> = []) -> OpeningList {
        OpeningList(
            filesOfEndpoint[index].subtracting(omitted)
                .flatMap { openingsOfFile[$0]?[index] ?? [] })
    }

    /// Compiles endpoints: once for all at which the same is opened, and not at all where that is
    /// known already.
    private mutating func compile(
        _ indices: some Collection<Int>, after earlier: Compilation?, known: [CompiledOpenings],
        _ loop: Loop
    ) {
        var known = Dictionary(known.map { ($0.list, $0) }, uniquingKeysWith: { $1 })
        let lists = indices.map { openings(at: $0) }
        var missing: [OpeningList: Cut?] = [:]
        for (index, list) in zip(indices, lists) where known[list] == nil {
            let id = topology.endpoints[index].id
            missing[list] = .some(missing[list] ?? earlier?.cut(at: id))
        }
        let work = Array(missing)
        let limit = limit
        for compiled in loop(
            work.count, { CompiledOpenings(work[$0].key, near: work[$0].value, limit: limit) })
        {
            known[compiled.list] = compiled
        }
        var rescue = Rescue(after: earlier)
        for (index, list) in zip(indices, lists) {
            compiled[index] = known[list]
            keep(known[list], at: index, &rescue)
        }
    }

    private func cut(at id: NamespaceID) -> Cut? {
        indexOfEndpoint[id].flatMap { compiled[$0]?.cut }
    }

    private mutating func keep(_ compiled: CompiledOpenings?, at index: Int, _ rescue: inout Rescue)
    {
        let endpoint = topology.endpoints[index]
        switch compiled?.result {
        case .success(let state):
            states[endpoint.id] = state.at(endpoint)
            errors[endpoint.id] = nil
            knownAddresses[endpoint.id] = nil
        case .failure(let overflow): reduce(index, overflow, &rescue)
        case nil: states[endpoint.id] = EndpointState(own: endpoint.addresses)
        }
    }
}
