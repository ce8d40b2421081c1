public import NetTypes
public import Policy
public import Rules

/// The compiled state of every endpoint, and what it takes to follow a change of one file without
/// compiling the rest again.
///
/// Equal policies and topologies give equal states, whatever the way that led to them.
public struct Compilation: Sendable {
    public private(set) var policies: PolicySet
    public let topology: Topology
    public private(set) var states: [NamespaceID: EndpointState] = [:]
    /// Endpoints whose state can't be compiled; they are closed.
    public private(set) var errors: [NamespaceID: CompileError] = [:]

    private var resolver: Resolver
    private let indexOfEndpoint: [NamespaceID: Int]
    private var openingsOfFile: [String: [Int: [Opening]]] = [:]
    private var filesOfEndpoint: [Set<String>]

    /// Calls a body for every index below a count, perhaps on several processors at once.
    public typealias Loop = (Int, @Sendable (Int) -> CompiledEndpoint) -> [CompiledEndpoint]

    public init(
        of policies: PolicySet, for topology: Topology, loop: Loop = { (0..<$0).map($1) }
    ) {
        self.policies = policies
        self.topology = topology
        resolver = Resolver(tenants: policies.tenants, topology: topology)
        filesOfEndpoint = Array(repeating: [], count: topology.endpoints.count)
        indexOfEndpoint = Dictionary(
            uniqueKeysWithValues: zip(topology.endpoints.map(\.id), topology.endpoints.indices))
        for file in policies.files.values {
            place(resolver.openings(of: file), of: file.path)
        }
        let input = self
        let compiled = loop(topology.endpoints.count) { input.compiled($0) }
        for (endpoint, result) in zip(topology.endpoints, compiled) { keep(result, of: endpoint) }
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
        guard next.tenants == policies.tenants else {
            let before = states
            self = Compilation(of: next, for: topology)
            return Set(topology.endpoints.map(\.id).filter { states[$0] != before[$0] })
        }
        policies = next
        var changed: Set<NamespaceID> = []
        for index in replace(paths) {
            let endpoint = topology.endpoints[index]
            let before = states[endpoint.id]
            keep(compiled(index), of: endpoint)
            if states[endpoint.id] != before { changed.insert(endpoint.id) }
        }
        return changed
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

    private func compiled(_ index: Int) -> CompiledEndpoint {
        let endpoint = topology.endpoints[index]
        let openings = filesOfEndpoint[index].flatMap { openingsOfFile[$0]?[index] ?? [] }
        return Result { () throws(CompileError) in
            try EndpointCompiler(endpoint, grants: openings.flatMap(\.grants)).state()
        }
    }

    /// An endpoint whose state can't be compiled is closed.
    private mutating func keep(_ result: CompiledEndpoint, of endpoint: Endpoint) {
        switch result {
        case .success(let state):
            states[endpoint.id] = state
            errors[endpoint.id] = nil
        case .failure(let error):
            states[endpoint.id] = EndpointState(own: endpoint.addresses)
            errors[endpoint.id] = error
        }
    }
}

/// The state of one endpoint, or why there is none.
public typealias CompiledEndpoint = Result<EndpointState, CompileError>
