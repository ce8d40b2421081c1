internal import AgentCore
internal import Glibc
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
public import Reports

/// Endpoints that somebody waits for before anything runs in them.
extension Agent {
    /// How long a newcomer waits for others' tables; somebody may hold up the kernel for longer.
    private static let othersPatience = Duration.seconds(2)

    /// Brings a namespace into force, as it is now, and answers when it is.
    ///
    /// - Throws: `EnforcementProblem`, with nothing announced, unless it is late: what comes into
    ///   force later than somebody waits is no harm.
    public func enforce(_ request: EnforcementRequest) async throws -> EnforcedEndpoint {
        let deadline = ContinuousClock.now + request.wait
        let place = try place(of: request)
        var reason = "the agent has not read everything yet"
        var announcement: Announced?
        repeat {
            if isReady {
                let isNews = try announcement ?? announce(request, at: place)
                announcement = isNews
                switch try progress(of: place, request, isNews) {
                case .inForce(let endpoint): return endpoint
                case .pending(let why): reason = why
                }
            }
            try await Task.sleep(for: .milliseconds(10))
        } while ContinuousClock.now < deadline
        throw EnforcementProblem(
            .late, "not in force after \(request.wait): \(reason)",
            fix: "see 'ringfence status' and the log of the agent")
    }

    /// Forgets what was announced of a namespace; what the kernel holds stays.
    public func forget(_ request: EnforcementRequest) throws {
        let place = try place(of: request)
        guard try announced.remove(place) else { return }
        logger.info("announced no more", metadata: ["place": "\(place)"])
        refreshNamespaces()
        rebuild()
    }

    private enum Announced {
        /// Nothing was announced of the namespace before.
        case news
        case known
    }

    private enum Progress {
        case inForce(EnforcedEndpoint)
        case pending(String)
    }

    private func place(of request: EnforcementRequest) throws -> Announcement.Place {
        switch (request.namespace, request.pid) {
        case (let path?, nil) where path.hasPrefix("/") && path.utf8.count < Int(PATH_MAX):
            // What the kernel calls it, so that a link and its target are one place.
            guard let real = unsafe realpath(path, nil) else { return .path(path) }
            defer { unsafe free(real) }
            return .path(unsafe String(cString: real))
        case (nil, let pid?) where pid > 0: return .pid(pid)
        default:
            throw EnforcementProblem(
                .invalid, "the request names no namespace",
                fix: "give 'namespace', an absolute path, or 'pid', and not both")
        }
    }

    /// Takes a tenant's new namespace in.
    private func announce(
        _ request: EnforcementRequest, at place: Announcement.Place
    ) throws -> Announced {
        let id = try self.id(of: place)
        guard id != host else {
            throw EnforcementProblem(
                .conflict, "\(place) is the host's own namespace",
                fix: "give the command a namespace of its own")
        }
        guard let tenant = request.tenant else { return .known }
        guard inputs.accepted.tenants[tenant] != nil else {
            let names = inputs.accepted.tenants.keys.sorted().prefix(20).joined(separator: ", ")
            throw EnforcementProblem(
                .absent, "no tenant is called '\(tenant)'",
                fix: names.isEmpty
                    ? "write a policy file of kind Tenant" : "use one of \(names)")
        }
        let known = announced.all[place].flatMap { $0.id == id ? $0 : nil }
        if let known, known.tenant != tenant {
            throw EnforcementProblem(
                .conflict, "\(place) is \(known.tenant)'s",
                fix: "take it back first: POST /v1/endpoints/forget, or DEL of the CNI plugin")
        }
        let announcement = Announcement(
            place: place, id: id, tenant: tenant, labels: request.labels ?? [:],
            addresses: request.addresses ?? known?.addresses)
        let isNews = try announced.add(announcement)
        if isNews { renewClaim(of: place) }
        let isNewHere = refreshNamespaces()
        if isNews || isNewHere { rebuild() }
        if isNews {
            logger.info("announced", metadata: ["tenant": "\(tenant)", "place": "\(place)"])
        }
        return isNews && known == nil ? .news : .known
    }

    /// Whether the policies give a namespace to the tenant of a request; nil while that is compiled.
    ///
    /// - Throws: `EnforcementProblem` where they don't, with the announcement taken back.
    private func isGiven(
        _ place: Announcement.Place, _ id: NamespaceID, _ request: EnforcementRequest,
        _ announced: Announced
    ) throws -> Bool? {
        if let endpoint = endpoint(id), endpoint.tenant == request.tenant ?? endpoint.tenant {
            return true
        }
        if compileQueue.isBusy { return nil }
        guard let tenant = request.tenant else {
            guard tenures[id] != nil else { return nil }
            throw EnforcementProblem(
                .conflict, "no tenant alone claims \(place)",
                fix: "name the tenant in the request, or in the 'endpoints' of a policy file")
        }
        // A namespace that there is no descriptor for, or that was removed while it was announced, is no conflict.
        guard tenures[id] != nil else { return nil }
        if announced == .news, try self.announced.remove(place) { rebuild() }
        throw EnforcementProblem(
            .conflict, "\(place) is not \(tenant)'s alone: the policy files give it to another",
            fix: "see which tenant's 'endpoints' name it, and use that tenant")
    }

    private func id(of place: Announcement.Place) throws -> NamespaceID {
        do throws(SystemError) {
            switch place {
            case .path(let path): return try NetworkNamespace(at: path).id
            case .pid(let pid): return try NetworkNamespace(pid: pid).id
            }
        } catch {
            throw EnforcementProblem(
                .absent, "there is no network namespace at \(place): \(error)",
                fix: "give the path of its mount, such as /run/netns/NAME")
        }
    }

    /// Looks at the namespace as it is now.
    private func progress(
        of place: Announcement.Place, _ request: EnforcementRequest, _ announced: Announced
    ) throws -> Progress {
        let id = try self.id(of: place)
        let isNewHere = tenures[id] == nil && refreshNamespaces()
        let hasMoved = refreshInterfaces(of: id)
        if isNewHere || hasMoved { rebuild() }
        if let reason = refusedEntries[id] { return .pending(reason) }
        guard try isGiven(place, id, request, announced) != nil, let endpoint = endpoint(id) else {
            return .pending(
                tenures[id] == nil ? "it has not been found yet" : "its rules are being compiled")
        }
        let status = status(endpoint)
        guard status.state == .enforced else {
            let why = status.lastError.map { ": \($0)" } ?? ""
            return .pending("it is \(status.state.rawValue)\(why)")
        }
        let hasVeth = observed[id]?.interfaces.contains { $0.kind == "veth" } ?? false
        if configuration.hostFilter == .on, hasVeth, !guarded.contains(id) {
            return .pending(status.lastError ?? "the host filter does not stand yet")
        }
        // It is closed as it should be; but others may not be open to it yet, which whoever runs in it would meet.
        if let behindSince, ContinuousClock.now - behindSince < Self.othersPatience {
            return .pending("tables of others are being written")
        }
        let missing = (request.addresses ?? []).filter { !endpoint.addresses.contains($0) }
        if let first = missing.first {
            return .pending("\(first) is not the endpoint's own, or not its alone")
        }
        return .inForce(
            EnforcedEndpoint(
                tenant: endpoint.tenant, name: endpoint.name, addresses: endpoint.addresses,
                generation: status.generation))
    }
}

extension Announcement.Place: CustomStringConvertible {
    var description: String {
        switch self {
        case .path(let path): path
        case .pid(let pid): "process \(pid)"
        }
    }
}
