internal import Compiler
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Reports
internal import Rules

typealias TablePresence = EndpointTable.Presence

extension Agent {
    /// Compiles everything anew, as after a change of tenants or namespaces.
    func rebuild() {
        let clock = ContinuousClock()
        let start = clock.now
        let topology = inputs.accepted.topology(observed: Array(observed.values), host: host)
        let known = Set(compilation.topology.conflicts)
        for conflict in topology.conflicts where !known.contains(conflict) {
            let status = ConflictStatus(conflict)
            let claimants = status.claimants.joined(separator: ", ")
            logger.warning("\(status.subject) (\(claimants)): \(status.message); closed for all")
        }
        trimAt = ContinuousClock.now + .seconds(1)
        compilation = Compilation(of: inputs.accepted, for: topology) { concurrently($0, $1) }
        explanations = [:]
        apply(
            to: holdings.keys.filter { compilation.states[$0] == nil }
                + topology.endpoints.map(\.id),
            compileTime: clock.now - start, readTime: .zero)
    }

    /// Compiles what some policy files touch.
    func follow(_ changed: Set<String>, readTime: Duration) {
        let clock = ContinuousClock()
        let start = clock.now
        let next = compilation.following(inputs.accepted, changed: changed)
        compilation = next.compilation
        explanations = [:]
        apply(to: next.changed.sorted(), compileTime: clock.now - start, readTime: readTime)
    }

    /// Tries again what could not be brought into force.
    func retry() {
        retryAt = nil
        let failed = holdings.filter { $0.value.problem != nil }.map(\.key)
        for id in failed {
            guard let tenure = tenures[id], let reread = try? Holding(reading: tenure) else {
                continue
            }
            holdings[id] = reread
        }
        apply(to: failed, compileTime: .zero, readTime: .zero)
    }

    /// What an endpoint should hold; a namespace that is nobody's any more is closed.
    private func wanted(_ id: NamespaceID) -> EndpointState {
        compilation.states[id] ?? EndpointState(own: observed[id]?.addresses ?? [])
    }

    private struct Work: Sendable {
        let id: NamespaceID
        let tenure: Tenure
        let presence: TablePresence
        let held: EndpointState?
        let wanted: EndpointState
    }

    /// Brings the endpoints into their wanted state: one transaction each, and none for those that
    /// are in it already.
    private func apply(
        to ids: some Sequence<NamespaceID>, compileTime: Duration, readTime: Duration
    ) {
        let clock = ContinuousClock()
        let start = clock.now
        let work: [Work] = ids.compactMap { id in
            guard let tenure = tenures[id], id != host else { return nil }
            let holding = holdings[id]
            let wanted = wanted(id)
            guard holding?.state != wanted || holding?.presence != .owned else { return nil }
            return Work(
                id: id, tenure: tenure, presence: holding?.presence ?? .absent,
                held: holding?.state, wanted: wanted)
        }
        guard !work.isEmpty else { return }
        let results = concurrently(work.count) { index in
            let work = work[index]
            return Result { () throws(NftablesError) in
                try work.tenure.table.apply(
                    work.wanted.changes(from: work.held), presence: work.presence)
            }
        }
        let end = clock.now
        let isNew = work.contains { $0.held != $0.wanted }
        if isNew { ledger.generation += 1 }
        for (work, result) in zip(work, results) { finish(work, result) }
        lastApply = ApplyStatus(
            finished: self.clock(), changedEndpoints: work.count,
            readMilliseconds: readTime.milliseconds, compileMilliseconds: compileTime.milliseconds,
            applyMilliseconds: (end - start).milliseconds)
        logger.info(
            isNew ? "generation \(ledger.generation)" : "tables taken over",
            metadata: [
                "endpoints": "\(work.count)", "compile": "\(compileTime)",
                "apply": "\(end - start)",
            ])
        saveSoon()
    }

    private func finish(_ work: Work, _ result: Result<EndpointTable.Retired, NftablesError>) {
        switch result {
        case .success(let retired):
            holdings[work.id] = Holding(
                presence: .owned, state: work.wanted, generation: ledger.generation)
            ledger.carry(retired.rules, of: work.held?.rules ?? [:])
            if !retired.rules.isEmpty { saveAt = ContinuousClock.now }
        case .failure(let error):
            failed(work, error)
        }
    }

    /// Reads the kernel's truth; the endpoint stays dirty and is tried again.
    private func failed(_ work: Work, _ error: NftablesError) {
        let name = observed[work.id]?.name ?? "\(work.id)"
        logger.error("endpoint '\(name)' is not in its new state: \(error)")
        var holding = Holding(presence: .absent, state: nil)
        if let reread = try? Holding(reading: work.tenure) { holding = reread }
        holding.problem = "\(error)"
        holdings[work.id] = holding
        retryAt = ContinuousClock.now + .milliseconds(500)
    }
}

extension Holding {
    /// What a namespace holds; nil where there is no table of ours.
    init?(reading tenure: Tenure) throws(NftablesError) {
        guard let reading = try tenure.table.read() else { return nil }
        if let owner = reading.owner, owner != tenure.table.port { throw .owned(byPort: owner) }
        let presence: TablePresence =
            !reading.isIntact ? .damaged : reading.owner == nil ? .orphaned : .owned
        self.init(presence: presence, state: reading.isIntact ? reading.state : nil)
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}
