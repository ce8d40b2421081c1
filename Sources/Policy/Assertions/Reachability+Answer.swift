import NetTypes

extension Reachability {
    /// How many violations of one assertion are spelled out.
    public static let greatestCount = 20

    /// Whether the policies fulfil an assertion, and if not, where.
    public func answer(_ assertion: Assertion) -> AssertionAnswer {
        let from = sites(assertion.from)
        let to = sites(assertion.to)
        var notes: [String] = []
        for (sites, key) in [(from, "from"), (to, "to")] where sites.isEmpty {
            notes.append("nobody on this machine is meant by '\(key)'")
        }
        var found = Found()
        switch assertion.claim {
        case .noPath: findPaths(from, to, assertion, &found)
        case .reachable: findGaps(from, to, assertion, &found)
        case .onlyFrom: findOthers(from, to, assertion, &found)
        }
        return AssertionAnswer(
            assertion: assertion, notes: notes, violations: found.violations,
            violationCount: found.count, endpoints: asked(assertion, from, to))
    }

    private struct Found {
        var violations: [AssertionViolation] = []
        var count = 0

        mutating func add(_ violation: @autoclosure () -> AssertionViolation) {
            count += 1
            if violations.count < Reachability.greatestCount { violations.append(violation()) }
        }
    }

    private func sites(_ peers: [Peer]) -> [Site] {
        topology.sites(coverage(of: peers).addresses, own: own)
    }

    /// A chain may lead through every endpoint, and everybody may be somebody else.
    private func asked(_ assertion: Assertion, _ from: [Site], _ to: [Site]) -> [NamespaceID] {
        let isAboutAll = assertion.isTransitive
        let indices =
            isAboutAll
            ? Array(topology.endpoints.indices)
            : Set((from + to).compactMap(\.endpoint)).sorted()
        // What reaches an endpoint is that endpoint's own say; what leaves for elsewhere is said
        // by whoever sends it.
        let isOutside = assertion.claim == .onlyFrom && to.contains { $0.endpoint == nil }
        let all = isOutside ? Array(topology.endpoints.indices) : indices
        return all.map { topology.endpoints[$0].id }.sorted()
    }

    private func filter(_ services: [Service], at target: Site) -> ServiceFilter {
        services.isEmpty
            ? .anything
            : .among(services.map { Admitted($0, names: names(of: target.endpoint)) })
    }

    private func findPaths(
        _ from: [Site], _ to: [Site], _ assertion: Assertion, _ found: inout Found
    ) {
        for source in from {
            for (target, path) in paths(from: source, to: to, assertion) {
                found.add(
                    AssertionViolation(
                        reason: "\(source.name) can reach \(target.name)",
                        fix: "take away a rule of the path, or narrow it", path: path))
            }
        }
    }

    private func findGaps(
        _ from: [Site], _ to: [Site], _ assertion: Assertion, _ found: inout Found
    ) {
        for source in from {
            let reached =
                assertion.isTransitive
                ? Set(paths(from: source, to: to, assertion).map(\.target)) : []
            for target in to where !reached.contains(target) && !isSame(source, target) {
                guard let gap = gap(from: source, to: target, over: assertion.services) else {
                    continue
                }
                found.add(violation(gap, source, target))
            }
        }
    }

    private func findOthers(
        _ from: [Site], _ to: [Site], _ assertion: Assertion, _ found: inout Found
    ) {
        let meant = coverage(of: assertion.from).addresses
        let others = topology.sites(AddressSet.all.subtracting(meant), own: own)
        for source in others {
            for (target, path) in paths(from: source, to: to, assertion, isAnything: true)
            where !isOwn(source, target) {
                found.add(
                    AssertionViolation(
                        reason: "\(source.name) can reach \(target.name) as well",
                        fix: "take away a rule of the path, or name \(source.name) in 'from'",
                        path: path))
            }
        }
        guard !assertion.services.isEmpty else { return }
        findGaps(from, to, assertion, &found)
        for source in from {
            for target in to where !isOwn(source, target) {
                let names = names(of: target.endpoint)
                let allowed = assertion.services.map { Admitted($0, names: names) }
                guard let hop = hop(from: source, to: target, .outside(allowed)) else { continue }
                found.add(
                    AssertionViolation(
                        reason:
                            "\(source.name) can reach \(target.name) over \(hop.service) as well",
                        fix: "narrow the rule, or add the service to 'over'", path: [hop]))
            }
        }
    }

    private func isSame(_ source: Site, _ target: Site) -> Bool {
        source.endpoint == target.endpoint
    }

    /// Endpoints of one tenant are not somebody else to each other.
    private func isOwn(_ source: Site, _ target: Site) -> Bool {
        guard let one = source.endpoint, let other = target.endpoint else { return false }
        return topology.endpoints[one].tenant == topology.endpoints[other].tenant
    }

    private func violation(_ gap: Gap, _ source: Site, _ target: Site) -> AssertionViolation {
        let name = "\(source.name) can't reach \(target.name)"
        guard let here = gap.source, let there = gap.destination else {
            return AssertionViolation(reason: name, fix: "write a rule", path: [])
        }
        let flow = Flow(
            source: here, destination: there, ipProtocol: gap.ipProtocol,
            destinationPort: gap.port)
        let report = policies.explain(flow, in: topology)
        let refusal = report.ends.first { !$0.isAdmitted }?.refusal
        let hop = PathHop(
            source: end(source, here), destination: end(target, there),
            ipProtocol: gap.ipProtocol,
            port: gap.ipProtocol.hasPorts || gap.ipProtocol.isICMP ? gap.port : nil,
            egress: report.ends.first { $0.direction == .egress }?.rule,
            ingress: report.ends.first { $0.direction == .ingress }?.rule)
        return AssertionViolation(
            reason: "\(name) over \(hop.service)" + (refusal.map { ": \($0.lack)" } ?? ""),
            fix: refusal?.fix ?? "write a rule", path: [hop])
    }

    private func paths(
        from source: Site, to targets: [Site], _ assertion: Assertion, isAnything: Bool = false
    ) -> [(target: Site, path: [PathHop])] {
        let services = isAnything ? [] : assertion.services
        guard assertion.isTransitive else {
            return targets.compactMap { target in
                hop(from: source, to: target, filter(services, at: target)).map { (target, [$0]) }
            }
        }
        return chains(from: source, to: targets) { filter(services, at: $0) }
    }
}
