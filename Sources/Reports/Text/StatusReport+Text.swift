import NetTypes
import Policy

extension StatusReport: TextReport {
    public func text(width: Int?) -> String {
        [
            agentText, policyText, applyText, errorText, endpointText(width), unknownText(width),
            conflictText(width), lostText,
        ].joined()
    }

    private var agentText: String {
        "ringfence \(agent.version.printable), pid \(agent.pid), started \(agent.started), "
            + "host filter \(agent.hostFilter.rawValue)\n"
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

    private var errorText: String {
        guard !policies.errors.isEmpty else { return "" }
        return "the policy directory is not in force as it is; the last good state stays:\n"
            + policies.errors.map { error in
                "  \(error.place.description.printable): \(error.message.printable)\n"
                    + "    fix: \(error.fix.printable)\n"
            }.joined()
    }

    private func endpointText(_ width: Int?) -> String {
        var table = Table(
            .init("ENDPOINT"), .init("TENANT"), .init("STATE"), .init("ADDRESSES"),
            .init("GENERATION", .right), .init("LAST ERROR"))
        for endpoint in endpoints {
            table.append([
                endpoint.name, endpoint.tenant, endpoint.state.rawValue,
                endpoint.addresses.map(\.description).joined(separator: ", "),
                endpoint.generation.map { "\($0)" } ?? "-", endpoint.lastError ?? "",
            ])
        }
        return section("endpoints", table, width: width, none: "none")
    }

    private func unknownText(_ width: Int?) -> String {
        guard !unknownNamespaces.isEmpty else { return "" }
        var table = Table(.init("NAMESPACE"), .init("ID"), .init("ADDRESSES"))
        for namespace in unknownNamespaces {
            table.append([
                namespace.name, namespace.id.description,
                namespace.addresses.map(\.description).joined(separator: ", "),
            ])
        }
        return section("namespaces that no tenant claims", table, width: width, none: "none")
    }

    private func conflictText(_ width: Int?) -> String {
        guard !conflicts.isEmpty else { return "" }
        var table = Table(.init("CONFLICT"), .init("CLOSED FOR"), .init("WHY"))
        for conflict in conflicts {
            table.append([
                conflict.subject, conflict.claimants.joined(separator: ", "), conflict.message,
            ])
        }
        return section("conflicts", table, width: width, none: "none")
    }

    private var lostText: String {
        guard lost != LostEvents() else { return "lost events: none\n" }
        return "lost events: \(lost.refusals) refusals, \(lost.links) link changes, "
            + "\(lost.rules) rule changes, \(lost.violations) violations\n"
    }
}
