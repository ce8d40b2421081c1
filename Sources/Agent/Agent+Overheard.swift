internal import Compiler
internal import HostFilter
internal import NetTypes
internal import Policy
internal import Reports
internal import Rules

/// Frames that were nobody's attempt: what a bridge gives to everybody.
extension Agent {
    /// All of them, of endpoints that are gone as well; nil where the host filter is off.
    func overheard() -> Overheard? {
        guard hostFilter != nil else { return ledger.hostOverheard }
        return compilation.topology.endpoints.reduce(ledger.hostOverheard ?? Overheard()) {
            $0 + (overheard(by: $1.id) ?? Overheard())
        }
    }

    /// What was dropped on its way to one endpoint since the host filter knows it.
    func overheard(by id: NamespaceID) -> Overheard? {
        (try? hostFilter?.overheard(by: id)).map { Overheard($0) }
    }
}

extension Overheard {
    init(_ counts: [HostOverheard: Count]) {
        self.init(
            flooded: Tally(counts[.flooded] ?? .zero, flows: 0),
            multicast: Tally(counts[.multicast] ?? .zero, flows: 0))
    }
}
