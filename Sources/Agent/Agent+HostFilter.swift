internal import AgentCore
internal import Compiler
internal import HostFilter
internal import HostRules
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports
internal import Rules

extension Agent {
    private static let sweepInterval = Duration.seconds(10)

    /// Brings the host filter into the compiled state.
    ///
    /// - Parameter ids: The endpoints whose state may be another; all are looked at if who stands
    ///   where has changed.
    func applyHostFilter(to ids: some Sequence<NamespaceID>) {
        guard configuration.hostFilter != .off else { return }
        let ids = Array(ids)
        for id in ids { notFollowed[id]?.due = .now }
        do throws(BPFError) {
            try follow(ids)
            hostFilterProblem = nil
        } catch {
            if hostFilterProblem != "\(error)" {
                logger.error("the host filter is not in its new state: \(error)")
            }
            hostFilterProblem = "\(error)"
            schedule.set(.retry, noLaterThan: hostFilterRetry)
        }
    }

    /// Whatever is refused holds up nothing else, least of all the end of a rule; the first refusal is
    /// thrown in the end.
    private func follow(_ ids: some Sequence<NamespaceID>) throws(BPFError) {
        let endpoints = compilation.topology.endpoints
        let known = Set(endpoints.map(\.id))
        unfollowed.formUnion(known.intersection(ids))
        unfollowed.formIntersection(known)
        let filter = try openHostFilter()
        var failure: BPFError?
        // Also those that never had a veth to be guarded at.
        for id in guarded.union(heldByHostFilter.keys).subtracting(known) {
            do throws(BPFError) { try forget(id, filter) } catch { failure = failure ?? error }
        }
        var numbers: [NamespaceID: UInt32] = [:]
        for endpoint in endpoints {
            do throws(BPFError) {
                numbers[endpoint.id] = try filter.number(of: endpoint.id)
            } catch {
                failure = failure ?? error
            }
        }
        let posts = posts(numbers, filter)
        let standing = Set(posts.values)
        var senders: [UInt32: [IPAddress]] = [:]
        for endpoint in endpoints where standing.contains(endpoint.id) {
            if let number = numbers[endpoint.id] { senders[number] = endpoint.addresses }
        }
        let next = Senders(senders)
        if next != self.senders { unfollowed = known }
        self.senders = next
        do throws(BPFError) {
            try filter.setLocals(locals(senders))
            try setHostLink(filter)
        } catch {
            failure = failure ?? error
        }
        let refused = followUnfollowed(filter, next)
        failure = failure ?? refused
        adoptLinks(filter)
        if posts != self.posts || !Set(guards.held.keys).isSubset(of: filter.closedInterfaces) {
            try stand(posts, filter)
            tellUnguarded(self.posts ?? [:], now: posts, known)
            self.posts = posts
        }
        guarded = known.intersection(standing)
        if let failure { throw failure }
    }

    /// Brings each endpoint into its state; one whose state the kernel refuses holds up no other.
    ///
    /// - Returns: The first refusal.
    private func followUnfollowed(_ filter: HostFilter, _ senders: Senders) -> BPFError? {
        var failure: BPFError?
        for id in unfollowed.sorted() {
            guard let state = compilation.states[id] else { continue }
            if let refusal = refusal(of: id) {
                failure = failure ?? refusal
                continue
            }
            let before = heldByHostFilter[id]
            // What is refused half-way has left something that has to be taken away one day.
            heldByHostFilter[id] = before ?? state.rules
            do throws(BPFError) {
                let counts = try write(HostEntries(state, senders: senders), to: id, filter)
                heldByHostFilter[id] = state.rules
                unfollowed.remove(id)
                notFollowed[id] = nil
                carry(
                    Carried(
                        layer: .hostFilter, endpoint: endpointName(id), counts,
                        of: before ?? state.rules))
                guardedNames[id] = endpointName(id)
            } catch {
                noteNotFollowed(id, error)
                failure = failure ?? error
            }
        }
        notFollowed = notFollowed.filter { unfollowed.contains($0.key) }
        return failure
    }

    private func forget(_ id: NamespaceID, _ filter: HostFilter) throws(BPFError) {
        let ids = endpointsByNumber
        let remains = try filter.remove(id)
        let flows = keyed(remains.flows, ids)
        takeRefusals(flows)
        ledger.book.leave(flows.keys)
        carry(
            Carried(
                layer: .hostFilter, endpoint: guardedNames[id], remains.rules,
                of: heldByHostFilter[id] ?? [:],
                refused: [.refused: remains.refused.values.reduce(into: Count.zero) { $0 += $1 }],
                overheard: Overheard(remains.overheard)))
        heldByHostFilter[id] = nil
        guardedNames[id] = nil
    }

    /// Tells the filter which addresses are the host's and which of its interfaces lead out of the host.
    private func setHostLink(_ filter: HostFilter) throws(BPFError) {
        let interfaces = host.flatMap { observed[$0] }?.interfaces ?? []
        let id = ObjectIdentifier(filter)
        if let hostLink, hostLink.filter == id, hostLink.interfaces == interfaces { return }
        try filter.setHost(
            addresses: interfaces.flatMap(\.addresses),
            uplinks: interfaces.filter(\.isUplink).map(\.index))
        hostLink = (id, interfaces)
    }

    /// Which addresses belong to one endpoint alone, and which to several.
    private func locals(_ senders: [UInt32: [IPAddress]]) -> [IPAddress: UInt32] {
        var locals: [IPAddress: UInt32] = [:]
        for (number, addresses) in senders {
            for address in addresses {
                locals[address] = locals[address] == nil ? number : UInt32.max
            }
        }
        return locals
    }

    /// The host ends of the endpoints' veths.
    func posts(
        _ numbers: [NamespaceID: UInt32], _ filter: HostFilter
    ) -> [Post: NamespaceID] {
        guard let host, let there = observed[host] else { return [:] }
        let ends = there.veths
        let usable = linkAddresses(on: there, filter, numbers)
        var posts: [Post: NamespaceID] = [:]
        for (id, number) in numbers {
            guard let namespace = observed[id] else { continue }
            for interface in namespace.interfaces {
                guard let end = namespace.hostEnd(of: interface, among: ends) else { continue }
                let own = usable[end.index] ?? interface.hardwareAddress
                posts[Post(interface: end.index, number: number, hardwareAddress: own)] = id
            }
        }
        return posts
    }

    func stand(
        _ posts: [Post: NamespaceID], _ filter: HostFilter
    ) throws(BPFError) {
        let failures = try guardPosts(posts, filter)
        for (interface, error) in failures {
            logger.error("the host filter can't stand at interface \(interface): \(error)")
        }
        if let first = failures.values.first { throw first }
    }

    /// Takes in links that an earlier agent guarded, and of which nothing but the kernel's state tells.
    private func adoptLinks(_ filter: HostFilter) {
        for interface in filter.closedInterfaces where guards.held[interface] == nil {
            guard let end = host.flatMap({ observed[$0] })?.veths[interface],
                let link = guards.adopt(interface, name: end.name, at: clock())
            else { continue }
            logger.warning(
                "link is held: an earlier agent guarded it",
                metadata: ["link": "\(link.name)", "reason": "\(link.reason)"])
        }
    }

    /// Has the filter guard these, close what is held, and leave the links of namespaces that can't be entered as they
    /// were.
    func guardPosts(
        _ posts: [Post: NamespaceID], _ filter: HostFilter
    ) throws(BPFError) -> [Int32: BPFError] {
        let spared = Set(
            refusedEntries.keys.filter { tenures[$0] == nil }
                .compactMap { filter.knownNumber(of: $0) })
        return try inHostNamespace { () throws(BPFError) in
            try filter.guardPosts(posts, closing: Set(guards.held.keys), sparing: spared)
        }
    }

    func inHostNamespace<Outcome>(
        _ body: () throws(BPFError) -> Outcome
    ) throws(BPFError) -> Outcome {
        var outcome: Result<Outcome, BPFError>?
        do throws(SystemError) {
            let namespace =
                if let path = configuration.hostNamespace {
                    try NetworkNamespace(at: path)
                } else {
                    try NetworkNamespace.current()
                }
            try namespace.run { () throws(SystemError) in
                do throws(BPFError) {
                    outcome = .success(try body())
                } catch {
                    outcome = .failure(error)
                }
            }
        } catch {
            throw BPFError(error)
        }
        guard let outcome else { throw BPFError(SystemError("setns", code: 0)) }
        return try outcome.get()
    }

    /// The host filter, with room for the endpoints that there are.
    private func openHostFilter() throws(BPFError) -> HostFilter {
        let filter: HostFilter
        if let hostFilter { filter = hostFilter } else { filter = try makeHostFilter() }
        makeRoom(filter)
        return filter
    }

    private func makeHostFilter() throws(BPFError) -> HostFilter {
        // Numbers don't matter for the size.
        var provisional: [UInt32: [IPAddress]] = [:]
        for (index, endpoint) in compilation.topology.endpoints.enumerated() {
            provisional[UInt32(index + 1)] = endpoint.addresses
        }
        let senders = Senders(provisional)
        let need = Capacity(
            of: compilation.states.values.lazy.map { HostEntries($0, senders: senders) })
        let filter = try HostFilter(
            .init(
                root: configuration.bpfFileSystem, host: host?.inode ?? 0,
                identityMask: configuration.identityMask,
                attachment: .init(rawValue: configuration.hostFilterAttachment.rawValue) ?? .auto,
                most: configuration.mostOfHostFilter),
            need: need)
        hostFilter = filter
        guarded = Set(observed.keys.filter { filter.knownNumber(of: $0) != nil })
        watch(filter.eventsDescriptor, .hostRefusals)
        schedule.set(.sweep, at: .now + Self.sweepInterval)
        schedule.set(.guards, at: .now + .seconds(1))
        return filter
    }

    /// Programs of others on the hooks of the endpoints' veths.
    func otherPrograms() -> [String] {
        guard let hostFilter else { return [] }
        let found =
            (try? inHostNamespace { () throws(BPFError) in hostFilter.otherPrograms() }) ?? [:]
        let names = Dictionary(
            (host.flatMap { observed[$0] }?.interfaces ?? []).map { ($0.index, $0.name) },
            uniquingKeysWith: { $1 })
        return found.sorted { $0.key < $1.key }.flatMap { interface, programs in
            programs.map { "\($0) on \(names[interface] ?? "interface \(interface)")" }
        }
    }

    /// Takes flows out of the filter's table that have been idle for too long.
    func sweepHostFilter(_ now: ContinuousClock.Instant) {
        guard let hostFilter else { return }
        schedule.set(.sweep, at: now + Self.sweepInterval)
        do throws(BPFError) {
            try hostFilter.sweep()
        } catch {
            logger.error("flows of the host filter: \(error)")
        }
        recheckLinkAddresses()
        shrinkHostFilter(hostFilter, now)
    }
}

/// What the host filter refused.
extension Agent {
    private static let crowd = 256

    func hostRefusalsLogged() {
        guard let hostFilter else { return }
        hostFilter.drainEvents()
        let now = ContinuousClock.now
        let next = hostRefusalsBudget.next(now)
        if next > now {
            schedule.set(.hostRefusals, noLaterThan: next)
        } else {
            readHostRefusalsAtPace()
        }
    }

    /// Reads because of packets: only that is paid for with a pause.
    func readHostRefusalsAtPace() {
        let start = ContinuousClock.now
        readHostRefusals()
        hostRefusalsBudget.spend(from: start, to: .now)
    }

    func readHostRefusals() {
        guard let hostFilter else { return }
        let start = ContinuousClock.now
        schedule.cancel(.hostRefusals)
        do throws(BPFError) {
            var flows = try hostFilter.refusedFlows()
            let isCrowded = flows.count > Self.crowd
            if isCrowded { flows = try hostFilter.takeRefusedFlows() }
            let keyed = keyed(flows, endpointsByNumber)
            if takeRefusals(keyed) { schedule.set(.hostRefusals, at: start + .seconds(1)) }
            if isCrowded {
                ledger.book.leave(keyed.keys)
                saveInHaste()
            }
        } catch {
            logger.error("refused flows of the host filter: \(error)")
        }
    }

    /// Those as well that are just about to go: what they did is theirs.
    private var endpointsByNumber: [UInt32: NamespaceID] {
        let ids = compilation.topology.endpoints.map(\.id) + heldByHostFilter.keys + guarded
        return ids.reduce(into: [:]) { known, id in
            if let number = hostFilter?.knownNumber(of: id) { known[number] = id }
        }
    }

    private func keyed(
        _ flows: [HostRefusedFlow: Count], _ ids: [UInt32: NamespaceID]
    ) -> [RefusalBook.Key: Count] {
        var keyed: [RefusalBook.Key: Count] = [:]
        for (flow, count) in flows {
            guard let id = ids[flow.endpoint] else { continue }
            let key = RefusalBook.Key(
                endpoint: id,
                flow: RefusedFlow(
                    reason: flow.reason.layerOne, source: flow.source,
                    destination: flow.destination, ipProtocol: flow.ipProtocol,
                    sourcePort: flow.sourcePort, destinationPort: flow.destinationPort),
                host: RefusalBook.HostRefusal(
                    reason: flow.reason.reported, direction: flow.direction,
                    sender: ids[flow.sender]))
            keyed[key, default: .zero] += count
        }
        return keyed
    }
}

extension HostRefusal {
    /// How reports call it.
    fileprivate var reported: RefusalReason {
        switch self {
        case .refused: .noRule
        case .revoked: .revoked
        case .spoofed: .spoofed
        case .spoofedLinkAddress: .spoofedLinkAddress
        case .arp: .arp
        case .neighbourDiscovery: .neighbourDiscovery
        case .router: .router
        case .dhcpServer: .dhcpServer
        case .etherType: .etherType
        case .vlan: .vlan
        case .malformed: .malformed
        case .extensionHeaders: .extensionHeaders
        case .fragment: .fragment
        case .identity: .identity
        case .invalid: .invalid
        case .forwarded: .forwarded
        }
    }

    /// What comes closest to it in the endpoint's own table.
    fileprivate var layerOne: Refusal {
        switch self {
        case .refused: .refused
        case .revoked: .revoked
        case .forwarded: .forwarded
        case .spoofed, .spoofedLinkAddress, .identity: .spoofed
        default: .invalid
        }
    }
}

extension ObservedInterface {
    /// Kinds of `IFLA_INFO_KIND` that lead to other machines; others may end in a namespace or a guest of this host.
    private static let outward: Set<String> = [
        "bond", "team", "vlan", "vxlan", "geneve", "gretap", "ip6gretap", "macsec",
    ]

    /// Whether it is a network card, or stands on one: neither an end of a veth nor anything else that a
    /// namespace of the same host may be behind.
    fileprivate var isUplink: Bool { kind.map(Self.outward.contains) ?? true }
}
