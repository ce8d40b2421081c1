internal import Compiler
internal import HostFilter
internal import HostRules
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports
internal import Rules

/// Why the host filter has not taken an endpoint's state, and what it holds instead.
struct NotFollowed {
    /// What refused it.
    var error: BPFError
    /// The generation that is in force; nil where none is known to be.
    let generation: UInt64?
    /// When to try again, if nothing changes before.
    var due: ContinuousClock.Instant

    /// What to say of the endpoint.
    var reason: String { "the host filter is not in its new state: \(error)" }
}

/// Room in the host filter's maps, which follow what they have to hold.
extension Agent {
    /// A state that finds no room takes too much time to try it each second.
    private static let roomPause = Duration.seconds(10)

    /// Ends what an earlier agent began to replace, and makes room for numbers and addresses.
    ///
    /// What is refused here is refused again where the room is needed, for the endpoint that needs it.
    func makeRoom(_ filter: HostFilter) {
        if filter.isGrowing {
            attempt("end the growth of the host filter's maps") { () throws(BPFError) in
                try inHostNamespace { () throws(BPFError) in try filter.endGrowth() }
            }
        }
        let endpoints = compilation.topology.endpoints
        // While addresses change, old and new ones are there.
        let addresses = endpoints.reduce(0) { $0 + $1.addresses.count } + (senders?.count ?? 0)
        guard let need = filter.need(endpoints: endpoints.count, addresses: addresses) else {
            return
        }
        attempt("make larger maps for the host filter") { () throws(BPFError) in
            try grow(filter, for: need)
        }
    }

    private func attempt(_ what: String, _ body: () throws(BPFError) -> Void) {
        do throws(BPFError) {
            try body()
        } catch {
            logger.error("cannot \(what): \(error)")
        }
    }

    /// Writes an endpoint's entries, into larger maps where these are too small.
    ///
    /// - Parameters:
    ///   - entries: What the filter is to hold of the endpoint.
    ///   - id: The endpoint.
    ///   - filter: Where.
    /// - Returns: What the rules that are gone had counted.
    /// - Throws: What the kernel refused, or that the maximum is exceeded: then nothing was written.
    func write(
        _ entries: HostEntries, to id: NamespaceID, _ filter: HostFilter
    ) throws(BPFError) -> [Mark: RuleCount] {
        do throws(BPFError) {
            return try filter.apply(entries, to: id)
        } catch {
            guard let need = error.need, filter.capacity(for: need) != nil else { throw error }
            try grow(filter, for: need)
            return try filter.apply(entries, to: id)
        }
    }

    /// Makes larger maps for a need that they are too small for, and at once for all that is compiled.
    private func grow(_ filter: HostFilter, for need: Capacity) throws(BPFError) {
        var need = need
        if let senders {
            var all = Capacity()
            for state in compilation.states.values {
                let next = all + HostEntries(state, senders: senders).size
                // What can't be held with the others is refused where it is written.
                if filter.capacity(for: next) != nil { all = next }
            }
            need = need.union(all)
        }
        try resize(filter, to: filter.capacity(for: need) ?? filter.capacity)
    }

    private func resize(_ filter: HostFilter, to target: Capacity) throws(BPFError) {
        let start = ContinuousClock.now
        let before = filter.capacity
        try inHostNamespace { () throws(BPFError) in try filter.resize(to: target) }
        guard filter.capacity != before else { return }
        logger.info(
            "the host filter has maps of another size",
            metadata: ["capacity": "\(filter.capacity)", "took": "\(ContinuousClock.now - start)"])
    }

    /// Makes smaller maps once they have been far too large for a while.
    func shrinkHostFilter(_ filter: HostFilter, _ now: ContinuousClock.Instant) {
        let target = filter.capacity.shrunk(for: filter.load)
        guard target != filter.capacity, filter.unreplaced.isEmpty else {
            oversizedSince = nil
            return
        }
        let since = oversizedSince ?? now
        oversizedSince = since
        guard now - since >= configuration.shrinkPatience else { return }
        oversizedSince = nil
        attempt("make smaller maps for the host filter") { () throws(BPFError) in
            try resize(filter, to: target)
        }
    }

    /// What keeps an endpoint's present state out of the host filter, if it was tried lately and
    /// nothing of the endpoint has changed since.
    func refusal(of id: NamespaceID) -> BPFError? {
        notFollowed[id].flatMap { $0.due > .now ? $0.error : nil }
    }

    /// Notes that the host filter has not taken an endpoint's state.
    ///
    /// The first time it is called before the tables are written: what is in force now stays so.
    func noteNotFollowed(_ id: NamespaceID, _ error: BPFError) {
        let pause = error.need == nil ? Duration.milliseconds(900) : Self.roomPause
        let due = ContinuousClock.now + pause
        notFollowed[id] = NotFollowed(
            error: error, generation: notFollowed[id].map(\.generation) ?? enforcedGeneration(id),
            due: due)
    }

    private func enforcedGeneration(_ id: NamespaceID) -> UInt64? {
        configuration.hostFilter == .only
            ? outsideGenerations[id]
            : holdings[id].flatMap { $0.generation == 0 ? nil : $0.generation }
    }

    /// When to try again what the host filter refused.
    var hostFilterRetry: ContinuousClock.Instant {
        let next = notFollowed.values.map(\.due).min()
        guard isOnlyRefusals, let next else { return .now + .seconds(1) }
        return max(next, .now + .milliseconds(100))
    }

    /// Why an endpoint's state is not in force in the host filter; nil where it is, or where the host
    /// filter is off.
    func hostFilterProblem(of id: NamespaceID) -> String? {
        guard configuration.hostFilter != .off else { return nil }
        if let refused = notFollowed[id] { return refused.reason }
        if unfollowed.contains(id), let hostFilterProblem {
            return "the host filter is not in its new state: \(hostFilterProblem)"
        }
        guard let hostFilter, !hostFilter.unreplaced.isEmpty,
            let number = hostFilter.knownNumber(of: id)
        else { return nil }
        let stale = hostFilter.unreplaced.first { hostFilter.post(at: $0.key)?.number == number }
        return stale.map { "a program of the host filter could not be replaced: \($0.value)" }
    }

    /// Whether the host filter holds an endpoint's state and guards it.
    func isFollowed(_ id: NamespaceID) -> Bool {
        guarded.contains(id) && hostFilterProblem(of: id) == nil
            && (hostFilterProblem == nil || isOnlyRefusals)
    }

    /// Whether all that the host filter refused are states of single endpoints.
    private var isOnlyRefusals: Bool {
        notFollowed.values.contains { "\($0.error)" == hostFilterProblem }
    }
}
