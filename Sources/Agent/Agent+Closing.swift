internal import AgentCore
internal import Compiler
internal import HostFilter
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Rules

/// Closing comes first: it needs no compilation, and waits for no write and no question.
extension Agent {
    /// How long the loop waits for tables that are being closed.
    private static let patience = Duration.milliseconds(50)

    /// Closes what is new, what is no endpoint's any more, and what the agent has lost sight of.
    func closeFirst() {
        let owners = followGuards()
        guard isReady else { return }
        closeNewcomers(owners)
        closeLinks(owners)
    }

    /// Gives each namespace that a tenant claims and that has no table yet one that admits nothing.
    private func closeNewcomers(_ owners: [NamespaceID: NamespaceOwner]) {
        guard configuration.hostFilter != .only else { return }
        let newcomers = tenures.values.filter { tenure in
            tenure.id != host && holdings[tenure.id] == nil && closing[tenure.id] == nil
                && owners[tenure.id] != .unclaimed && refusedEntries[tenure.id] == nil
                && isAtRest(tenure.id)
        }
        let work = newcomers.map { tenure in
            (tenure, EndpointState(own: observed[tenure.id]?.addresses ?? []))
        }
        guard !work.isEmpty else { return }
        for (tenure, _) in work { closing[tenure.id] = false }
        let outcome = closer.run(
            patience: Self.patience, limit: Self.patience, BackgroundWorker.Progress(),
            { _ in
                concurrently(work.count) { index in
                    Closed(work[index].0, in: work[index].1)
                }
            },
            late: { [weak self] outcome in
                guard let self else { return }
                Task { await self.conclude(outcome, isLate: true) }
            })
        if let outcome { conclude(outcome, isLate: false) }
    }

    /// A table that was made closed, or why it could not be.
    private struct Closed: Sendable {
        let tenure: Tenure
        let state: EndpointState
        var ruleset: RulesetGeneration?
        var error: NftablesError?

        init(_ tenure: Tenure, in state: EndpointState) {
            self.tenure = tenure
            self.state = state
            do throws(NftablesError) {
                _ = try tenure.table.apply(state.changes(from: nil), presence: .absent)
                ruleset = try? tenure.table.generation()
            } catch {
                self.error = error
            }
        }
    }

    private func conclude(_ outcomes: [Closed], isLate: Bool) {
        var overtaken: [NamespaceID] = []
        for outcome in outcomes {
            let id = outcome.tenure.id
            if closing.removeValue(forKey: id) == true { overtaken.append(id) }
            guard tenures[id] === outcome.tenure else { continue }
            if let error = outcome.error {
                logger.error(
                    "could not close a new namespace",
                    metadata: [
                        "namespace": "\(observed[id]?.name ?? "\(id)")", "error": "\(error)",
                    ])
                holdings[id] = Holding(
                    presence: .absent, state: nil, problem: "\(error)", isDoubtful: true)
                retry(after: .zero)
            } else {
                holdings[id] = Holding(
                    presence: .owned, state: outcome.state, generation: ledger.generation,
                    ruleset: outcome.ruleset)
                keep(outcome.tenure)
                surveySoon(id)
            }
        }
        if isLate, !isStopping { reapply(overtaken) }
    }

    /// Closes the table of a namespace that the agent doesn't find any more, and reads its last counts: its processes may
    /// live on.
    ///
    /// - Parameters:
    ///   - departure: The namespace.
    ///   - attributed: Whether it is still known whose it was, for each refused flow.
    func close(_ departure: Departure, attributed: Bool) {
        guard let state = departure.state, configuration.hostFilter != .only else {
            return takeLastCounts(departure, attributed: attributed)
        }
        // Without rules nothing is admitted. What else is there would take long to delete, and others' tables can't be
        // written meanwhile.
        var closed = state
        closed.rules = [:]
        let tenure = departure.tenure
        let changes = closed.changes(from: state)
        let outcome = closer.run(
            patience: Self.patience, limit: Self.patience, BackgroundWorker.Progress(),
            { _ in LastCounts(closing: tenure, by: changes) },
            late: { [weak self] counts in
                guard let self else { return }
                Task { await self.take(counts, of: departure, attributed: false) }
            })
        if let outcome { take(outcome, of: departure, attributed: attributed) }
    }

    /// What a table counted until it was closed.
    private struct LastCounts: Sendable {
        var counts = TableCounts()
        var error: NftablesError?

        init(closing tenure: Tenure, by changes: Changeset) {
            do throws(NftablesError) {
                let retired = try tenure.table.apply(changes, presence: .owned)
                counts = try tenure.table.counts()
                for (mark, count) in retired.rules { counts.rules[mark] = count }
            } catch {
                self.error = error
            }
        }
    }

    private func take(_ last: LastCounts, of departure: Departure, attributed: Bool) {
        guard let error = last.error else {
            return take(last.counts, of: departure, attributed: attributed)
        }
        logger.error(
            "could not close the table of a namespace that is gone",
            metadata: [
                "namespace": "\(departure.endpoint?.name ?? "\(departure.tenure.id)")",
                "error": "\(error)",
            ])
        takeLastCounts(departure, attributed: attributed)
    }

    /// Guards new links of endpoints with what is known of these, and closes the links that are held.
    private func closeLinks(_ owners: [NamespaceID: NamespaceOwner]) {
        guard let hostFilter, hostFilterProblem == nil, posts != nil else { return }
        var numbers: [NamespaceID: UInt32] = [:]
        for (id, owner) in owners {
            guard case .tenant(let tenant) = owner, tenures[id] != nil else { continue }
            // What another tenant's namespace holds in the maps is not what the new owner's policies say.
            if let known = endpoint(id), known.tenant != tenant { continue }
            numbers[id] = try? hostFilter.number(of: id)
        }
        let next = posts(numbers, hostFilter)
        guard next != posts || !Set(guards.held.keys).isSubset(of: hostFilter.closedInterfaces)
        else { return }
        do {
            try stand(next, hostFilter)
            tellUnguarded(
                posts ?? [:], now: next, Set(compilation.topology.endpoints.map(\.id)))
            posts = next
        } catch {
            logger.error("host filter update failed", metadata: ["error": "\(error)"])
            retry(after: .milliseconds(50))
        }
    }

    /// Compares what is at the host's veths with what was there.
    ///
    /// - Returns: Whose the observed namespaces are.
    @discardableResult
    func followGuards() -> [NamespaceID: NamespaceOwner] {
        let owners = inputs.accepted.owners(
            of: observed.values.lazy.filter { $0.id != self.host }, announced: announced.claims)
        contested = Set(
            owners.filter { if case .contested = $0.value { true } else { false } }.keys)
        guard let host, let there = observed[host] else { return owners }
        let changes = guards.update(views(of: there, owners), at: clock())
        for link in changes.held {
            logger.warning("link is held: an endpoint was there", metadata: metadata(of: link))
        }
        for link in changes.ended {
            logger.notice("link is not held any more", metadata: metadata(of: link))
        }
        if !changes.isEmpty { saveInHaste() }
        return owners
    }

    private func views(
        of there: ObservedNamespace, _ owners: [NamespaceID: NamespaceOwner]
    ) -> [GuardRegister.View] {
        let ends = there.veths
        var farEnds: [Int32: GuardRegister.View.FarEnd] = [:]
        for (id, namespace) in observed where id != host {
            // What it only claims would be taken from the world when it goes out of sight.
            let rightful = Set(endpoint(id)?.addresses ?? [])
            for interface in namespace.interfaces {
                guard let end = namespace.hostEnd(of: interface, among: ends) else { continue }
                farEnds[end.index] =
                    switch owners[id] {
                    case .tenant(let tenant):
                        .endpoint(
                            .init(
                                tenant: tenant, endpoint: namespace.name,
                                addresses: interface.addresses.filter(rightful.contains)))
                    case .contested: .contested
                    case .unclaimed, nil: .unclaimed
                    }
            }
        }
        return ends.values.map { end in
            GuardRegister.View(
                interface: end.index, name: end.name, farEnd: farEnds[end.index] ?? .outOfSight)
        }
    }

    private func metadata(of link: GuardRegister.HeldLink) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["link": "\(link.name)", "reason": "\(link.reason)"]
        if let occupant = link.occupant {
            metadata["endpoint"] = "\(occupant.tenant)/\(occupant.endpoint)"
        }
        return metadata
    }
}
