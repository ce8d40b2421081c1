import NetTypes
import Policy

extension StatusReport: TextReport {
    public func text(_ form: TextForm) -> String {
        [
            verdictText(form), agentText, policyText, applyText, errorText(form),
            warningText(form), endpointText(form), unknownText(form), conflictText(form),
            heldText(form), overheard?.text ?? "", lostText(form),
            sinkText(form),
        ].joined()
    }

    /// The endpoints.
    public var csv: CSV {
        var csv = CSV([
            "endpoint", "tenant", "state", "addresses", "generation", "last_error",
        ])
        for endpoint in endpoints {
            csv.append([
                endpoint.name, endpoint.tenant, endpoint.state.rawValue,
                endpoint.addresses.map(\.description).joined(separator: " "),
                endpoint.generation.map { "\($0)" }, endpoint.lastError,
            ])
        }
        return csv
    }

    /// Whether all that should be in force is, in one line.
    private func verdictText(_ form: TextForm) -> String {
        let enforced = endpoints.filter { $0.state == .enforced }.count
        let parts = [
            "\(enforced) of \(count(endpoints.count, "endpoint")) enforced",
            policies.errors.isEmpty
                ? "every file in force" : count(policies.errors.count, "mistake") + " in the files",
            conflicts.isEmpty ? nil : count(conflicts.count, "conflict"),
            agent.hostFilterProblem.map { _ in "the host filter has a problem" },
        ]
        return form.styled(
            parts.compactMap(\.self).joined(separator: ", "), isInOrder ? .good : .bad) + "\n"
    }

    private var agentText: String {
        "ringfence \(agent.version.printable), pid \(agent.pid), started \(agent.started), "
            + "host filter \(agent.hostFilter.rawValue)\n"
            + (agent.hostFilterProblem.map { "the host filter has a problem: \($0.printable)\n" }
                ?? "")
            + (agent.otherPrograms ?? []).map { "beside the host filter: \($0.printable)\n" }
            .joined()
    }

    private var policyText: String {
        "generation \(agent.generation) from \(policies.directory.printable): "
            + [
                count(policies.files, "file"),
                count(policies.policies, "policy", plural: "policies"),
                count(policies.rules, "rule"), count(policies.tenants, "tenant"),
            ].joined(separator: ", ") + "\n"
    }

    private var applyText: String {
        guard let lastApply else { return "nothing applied yet\n" }
        return "last applied \(lastApply.finished) to "
            + "\(count(lastApply.changedEndpoints, "endpoint")): "
            + "read \(milliseconds(lastApply.readMilliseconds)), "
            + "compile \(milliseconds(lastApply.compileMilliseconds)), "
            + "apply \(milliseconds(lastApply.applyMilliseconds))\n"
    }

    private func errorText(_ form: TextForm) -> String {
        guard !policies.errors.isEmpty else { return "" }
        return form.styled(
            "the policy directory is not in force as it is; the last good state stays:", .bad)
            + "\n"
            + policies.errors.map { error in
                "  \(error.place.description.printable): \(error.message.printable)\n"
                    + "    fix: \(error.fix.printable)\n"
            }.joined()
    }

    private func warningText(_ form: TextForm) -> String {
        guard let warnings = policies.warnings, !warnings.isEmpty else { return "" }
        let shown = warnings.prefix(20).map { warning in
            "  \(warning.place.description.printable): \(warning.message.printable)\n"
                + "    fix: \(warning.fix.printable)\n"
        }
        let more = warnings.count - shown.count
        return form.styled("warnings about the policy directory:", .doubtful) + "\n"
            + shown.joined() + (more > 0 ? "  and \(more) more\n" : "")
    }

    private func endpointText(_ form: TextForm) -> String {
        var table = Table(
            .init("ENDPOINT"), .init("TENANT"), .init("STATE", importance: .high),
            .init("ADDRESSES", importance: .low), .init("GENERATION", .right), .init("LAST ERROR"))
        for endpoint in endpoints {
            table.append([
                .init(endpoint.name), .init(endpoint.tenant),
                .init(endpoint.state.rawValue, endpoint.state.style),
                .init(endpoint.addresses.map(\.description).joined(separator: ", ")),
                .init(endpoint.generation.map { "\($0)" } ?? "-"),
                .init(endpoint.lastError ?? "", .bad),
            ])
        }
        return section("endpoints", table, form, none: "none")
    }

    private func unknownText(_ form: TextForm) -> String {
        guard !unknownNamespaces.isEmpty else { return "" }
        var table = Table(.init("NAMESPACE"), .init("STATE"), .init("ID"), .init("ADDRESSES"))
        for namespace in unknownNamespaces {
            table.append([
                namespace.name, namespace.stateText, namespace.id.description,
                namespace.addresses.map(\.description).joined(separator: ", "),
            ])
        }
        return section("namespaces that no tenant claims", table, form, none: "none")
    }

    private func conflictText(_ form: TextForm) -> String {
        guard !conflicts.isEmpty else { return "" }
        var table = Table(.init("CONFLICT"), .init("REFUSED TO"), .init("WHY"))
        for conflict in conflicts {
            table.append([
                conflict.subject, conflict.claimants.joined(separator: ", "), conflict.message,
            ])
        }
        return section("conflicts", table, form, none: "none")
    }

    private func heldText(_ form: TextForm) -> String {
        guard !held.isEmpty else { return "" }
        var table = Table(
            .init("LINK", importance: .high), .init("STATE"), .init("WAS"),
            .init("ADDRESSES", importance: .low), .init("SINCE"), .init("WHY"))
        for link in held {
            table.append([
                .init(link.link),
                .init(
                    link.isClosed ? "closed" : "open: host filter off",
                    link.isClosed ? .doubtful : .bad),
                .init(
                    [link.tenant, link.endpoint].compactMap(\.self).joined(separator: "/")),
                .init(link.addresses.map(\.description).joined(separator: ", ")),
                .init("\(link.since)"), .init(link.reason),
            ])
        }
        return section("links without their endpoint", table, form, none: "none")
    }

    private func sinkText(_ form: TextForm) -> String {
        guard !sinks.isEmpty else { return "" }
        var table = Table(
            .init("SINK"), .init("WRITES TO"), .init("WRITTEN", .right), .init("WAITING", .right),
            .init("LOST", .right), .init("PROBLEM"))
        for sink in sinks {
            table.append([
                .init(sink.name), .init(sink.target), .init("\(sink.written)"),
                .init("\(sink.waiting)"),
                .init("\(sink.lost.total)", sink.lost.total > 0 ? .doubtful : nil),
                .init(sink.problem ?? "", .bad),
            ])
        }
        return section("sinks", table, form, none: "none")
    }

    private func lostText(_ form: TextForm) -> String {
        guard lost != LostEvents() else { return "lost events: none\n" }
        return form.styled(
            "lost events: \(lost.refusals) refusals, \(lost.links) link changes, "
                + "\(lost.rules) rule changes, \(lost.violations) violations", .doubtful) + "\n"
    }
}

extension UnknownNamespace {
    /// What is in force there.
    fileprivate var stateText: String {
        switch isClosed {
        case .some(true): "closed, was an endpoint"
        case .some(false): "left alone"
        case .none: "not known"
        }
    }
}

extension EndpointStatus.State {
    fileprivate var style: Style {
        switch self {
        case .enforced: .good
        case .closed, .dirty, .conflict: .bad
        case .unknown: .doubtful
        }
    }
}
