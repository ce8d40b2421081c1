internal import Linux
internal import Policy

extension ObservedNamespace {
    /// Whether all of what the kernel told is known here, so that nothing has to be read again.
    ///
    /// What was read may be younger than what was told. Something told that differs is then no news
    /// either, but whoever reads everything again finds that out; and where nothing differs, the last
    /// message about each link and address is the state that is known.
    func shows(_ changes: [RouteChange]) -> Bool {
        changes.allSatisfy { change in
            switch change {
            case .link(let link):
                guard let known = interface(link.index) else { return false }
                return known
                    == ObservedInterface(
                        link, addresses: known.addresses, created: known.created)
            case .noLink(let index): return interface(index) == nil
            case .address(let told):
                // One that went and came back is younger than the one that is known.
                return interface(told.linkIndex)?.created[told.address] == told.created
            case .noAddress(let told):
                return !(interface(told.linkIndex)?.addresses.contains(told.address) ?? false)
            case .route, .unclear: return false
            }
        }
    }

    /// The interfaces are sorted by index.
    private func interface(_ index: Int32) -> ObservedInterface? {
        var range = interfaces.indices
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if interfaces[middle].index == index { return interfaces[middle] }
            range =
                interfaces[middle].index < index
                ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }
}
