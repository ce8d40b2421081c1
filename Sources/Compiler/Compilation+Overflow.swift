public import NetTypes
public import Policy
internal import Rules

/// What is known in one compilation about endpoints whose maps would overflow.
struct Rescue {
    let earlier: Compilation?
    /// What became of lists of openings that are too large.
    var reduced: [OpeningList: Reduced] = [:]
    /// Who resolves peers as they were when some addresses were known, by these.
    fileprivate var resolvers: [Set<IPAddress>: Resolver] = [:]

    /// A state that fits, with the files that it leaves out.
    struct Reduced {
        let state: EndpointState
        let omitted: [String]
    }

    init(after earlier: Compilation?) { self.earlier = earlier }
}

// An endpoint whose map would overflow isn't closed as a whole: what fitted before stays open.
extension Compilation {
    /// Finds a state that fits: one that doesn't know the newest addresses, or one without the policy files
    /// that are too large.
    mutating func reduce(_ index: Int, _ overflow: Overflow, _ rescue: inout Rescue) {
        let endpoint = topology.endpoints[index]
        if let known = rescue.earlier?.addressesThatFitted(at: endpoint.id),
            let state = state(at: index, knowing: known, &rescue)
        {
            knownAddresses[endpoint.id] = known
            states[endpoint.id] = state.at(endpoint)
            let newcomers = topology.endpoints.filter { !known.isSuperset(of: $0.addresses) }
            errors[endpoint.id] = CompileError(
                overflow, at: endpoint.name, omittedEndpoints: newcomers.map(\.name).sorted())
            return
        }
        knownAddresses[endpoint.id] = nil
        let list = openings(at: index)
        let reduced = rescue.reduced[list] ?? withoutLargest(index, overflow)
        rescue.reduced[list] = reduced
        states[endpoint.id] = reduced.state.at(endpoint)
        errors[endpoint.id] = CompileError(
            overflow, at: endpoint.name, omittedFiles: reduced.omitted)
    }

    /// The addresses that an endpoint's state in force was compiled with; nil where there is none, or it goes
    /// without files anyway.
    private func addressesThatFitted(at id: NamespaceID) -> Set<IPAddress>? {
        guard states[id] != nil else { return nil }
        guard errors[id] == nil else { return knownAddresses[id] }
        return Set(topology.endpoints.flatMap(\.addresses))
    }

    /// The state of an endpoint that takes addresses outside a set for those of strangers that no rule
    /// speaks of; nil where it doesn't fit either.
    ///
    /// Addresses that went, or changed hands, are right in it all the same.
    private func state(
        at index: Int, knowing known: Set<IPAddress>, _ rescue: inout Rescue
    ) -> EndpointState? {
        guard topology.endpoints.contains(where: { !known.isSuperset(of: $0.addresses) }) else {
            return nil
        }
        var resolver =
            rescue.resolvers[known]
            ?? Resolver(tenants: policies.tenants, topology: topology.reduced(to: known))
        let openings = filesOfEndpoint[index].flatMap { path in
            policies.files[path].flatMap { resolver.openings(of: $0)[index] } ?? []
        }
        rescue.resolvers[known] = resolver
        return try? CompiledOpenings(OpeningList(openings), near: nil, limit: limit).result.get()
    }

    /// The state without the fewest, largest files; closed where nothing fits.
    private func withoutLargest(_ index: Int, _ overflow: Overflow) -> Rescue.Reduced {
        var omitted: [String] = []
        var overflow = overflow
        var state: EndpointState?
        while state == nil, let largest = largestFile(at: index, for: overflow, without: omitted) {
            omitted.append(largest)
            switch CompiledOpenings(
                openings(at: index, without: Set(omitted)), near: nil, limit: limit
            ).result {
            case .success(let found): state = found
            case .failure(let further): overflow = further
            }
        }
        // The one that was left out last may have been enough.
        for path in omitted.dropLast() {
            let fewer = omitted.filter { $0 != path }
            let smaller = CompiledOpenings(
                openings(at: index, without: Set(fewer)), near: nil, limit: limit)
            guard case .success(let found) = smaller.result else { continue }
            (omitted, state) = (fewer, found)
        }
        return Rescue.Reduced(state: state ?? .closed, omitted: omitted.sorted())
    }

    /// The file that adds most to a map of an endpoint; of equally large ones the last in the order of
    /// paths.
    private func largestFile(
        at index: Int, for overflow: Overflow, without omitted: [String]
    ) -> String? {
        filesOfEndpoint[index].subtracting(omitted).max {
            let (left, right) = (
                size(of: $0, at: index, overflow), size(of: $1, at: index, overflow)
            )
            return (left, $0) < (right, $1)
        }
    }

    private func size(of path: String, at index: Int, _ overflow: Overflow) -> Int {
        (openingsOfFile[path]?[index] ?? []).reduce(0) { $0 + $1.size(in: overflow.map) }
    }
}

extension Opening {
    /// How many elements of a map it makes by itself, about.
    fileprivate func size(in map: String) -> Int {
        switch map {
        case Program.SetName.peers4: peers.addresses.v4.ranges.count
        case Program.SetName.peers6: peers.addresses.v6.ranges.count
        case Program.SetName.rules: rules.count
        default: rules.reduce(0) { $0 + ResolvedService($1.service, names: names).boxes.count }
        }
    }
}

extension Topology {
    /// The same without the endpoints' addresses outside a set.
    ///
    /// They don't become a part of the world by that.
    fileprivate func reduced(to known: Set<IPAddress>) -> Topology {
        Topology(
            endpoints: endpoints.map { endpoint in
                Endpoint(
                    id: endpoint.id, name: endpoint.name, tenant: endpoint.tenant,
                    labels: endpoint.labels, addresses: endpoint.addresses.filter(known.contains))
            },
            host: host, local: local, conflicts: conflicts, unknown: unknown)
    }
}

// What is refused before it comes into force.
extension Compilation {
    /// What a change of files would lead to.
    public struct Trial: Sendable {
        /// The changed files.
        public let paths: Set<String>
        public let compilation: Compilation
        /// The endpoints whose state would be another.
        public let touched: Set<NamespaceID>
        /// By path what is wrong.
        ///
        /// There is nothing where every endpoint gets all that it has now and all that the changes say. Where
        /// several files are too large together, the largest is named.
        public let refusals: [String: [Diagnostic]]
    }

    /// Tries a change of files, so that one that is too large is refused as one with a mistake is.
    ///
    /// - Parameters:
    ///   - next: The policies with the changes.
    ///   - paths: The changed files.
    /// - Returns: What the change would lead to.
    public func trial(of next: PolicySet, changed paths: Set<String>) -> Trial {
        var trial = self
        let touched = trial.follow(next, changed: paths)
        return Trial(
            paths: paths, compilation: trial, touched: touched,
            refusals: refusals(trial, touched, paths))
    }

    private func refusals(
        _ trial: Compilation, _ touched: Set<NamespaceID>, _ paths: Set<String>
    ) -> [String: [Diagnostic]] {
        let troubled = trial.errors.filter { errors[$0.key] == nil }.min { $0.key < $1.key }
        guard let (id, error) = troubled, let index = trial.indexOf(id) else { return [:] }
        let overflow = Overflow(map: error.map, count: error.count, limit: error.limit)
        let blamed = paths.max {
            let left = trial.size(of: $0, at: index, overflow)
            let right = trial.size(of: $1, at: index, overflow)
            return (left, $0) < (right, $1)
        }
        guard let blamed, let file = trial.policies.files[blamed] else { return [:] }
        return [blamed: [file.tooLarge(error)]]
    }

    private func indexOf(_ id: NamespaceID) -> Int? {
        topology.endpoints.firstIndex { $0.id == id }
    }
}

extension PolicyFile {
    /// What is said of a file that is too large.
    func tooLarge(_ error: CompileError) -> Diagnostic {
        let place = largestPolicy ?? SourcePlace(file: path, line: 1, column: 1)
        return Diagnostic(
            "with this file, at endpoint '\(error.endpoint)' \(error.excess)",
            fix: CompileError.fix, at: place)
    }

    /// Where the policy stands that lists most.
    private var largestPolicy: SourcePlace? {
        documents.compactMap { document -> (size: Int, place: SourcePlace)? in
            guard case .policy(_, let rules, let place) = document, let first = rules.first else {
                return nil
            }
            let networks = [first.sources, first.destinations]
                .reduce(0) { $0 + $1.networks.v4.ranges.count + $1.networks.v6.ranges.count }
            let ports = rules.reduce(0) { $0 + ResolvedService($1.service, names: []).boxes.count }
            return (networks + ports, place)
        }
        .max { ($0.size, $1.place) < ($1.size, $0.place) }?.place
    }
}
