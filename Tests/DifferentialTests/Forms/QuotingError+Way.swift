import NetTypes
import Policy
import TestSupport

extension QuotingError {
    /// From where to where an error goes.
    struct Way {
        let source: IPAddress
        let destination: IPAddress
        let direction: Direction
    }

    /// To who sent what is quoted, unless that is the lie.
    func way(about flow: Flow, _ scene: Scene) -> Way {
        let quoted = quoted(of: flow)
        let destination: IPAddress =
            if case .receiver(let address) = lie { address } else { quoted.source }
        let source: IPAddress =
            switch sender {
            case .side: quoted.destination
            case .address(let address): address
            case .receiver: destination
            }
        return Way(
            source: source, destination: destination,
            direction: scene.isOwn(destination) ? .ingress : .egress)
    }
}

extension Scene {
    /// Whether the host filter takes an error about the flow from there: from its other side, or
    /// from routers, who are nobody on this host.
    func believes(_ source: IPAddress, about probe: Probe) -> Bool {
        guard probe.direction == .ingress, !isOwn(source), let sender = locals[source] else {
            return true
        }
        return locals[probe.flow.source] == sender
    }

    /// Whether the host filter finds the quoted flow behind the chain.
    func isReadable(_ chain: ExtensionChain) -> Bool { chain.refusal(available: .max) == nil }
}
