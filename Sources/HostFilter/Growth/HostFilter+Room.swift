internal import Glibc
public import HostRules
internal import NetTypes

/// Whether the maps have room for a change, before anything of it is written.
extension HostFilter {
    /// Changes what is known to be held of an endpoint.
    func hold(_ entries: HostEntries?, of number: UInt32) {
        used = used - (held[number] ?? HostEntries()).size + (entries ?? HostEntries()).size
        held[number] = entries
    }

    /// Requires room for an endpoint's entries beside those of all others.
    ///
    /// - Throws: `BPFError.need` says what the maps have to hold.
    func requireRoom(for entries: HostEntries, at number: UInt32) throws(BPFError) {
        let need = used - (held[number] ?? HostEntries()).size + entries.size
        try requireRoom(need)
    }

    /// Requires room for the addresses of endpoints while they change.
    func requireRoom(forLocals wanted: [IPAddress: UInt32]) throws(BPFError) {
        let added = wanted.keys.count { locals[$0] == nil }
        try requireRoom(Capacity(own: locals.count + added))
    }

    private func requireRoom(_ need: Capacity) throws(BPFError) {
        guard let short = capacity.shortage(for: need) else { return }
        let most = configuration.most.shortage(for: need)
        throw BPFError(
            "find room in map \(short.map) of the host filter: it needs \(short.entries) entries, "
                + (most.map { "and can have \($0.capacity) at most: name fewer peers or ports" }
                    ?? "and has \(short.capacity)"),
            code: ENOSPC, need: need)
    }

    /// What the maps would have to hold if an endpoint had other entries, or if there were more of them.
    ///
    /// - Parameters:
    ///   - endpoints: How many there are to be.
    ///   - addresses: How many they have together.
    /// - Returns: Nil where the maps have room.
    public func need(endpoints: Int, addresses: Int) -> Capacity? {
        let need = Capacity(
            endpoints: min(endpoints + resting.count, mostNumbers), own: addresses,
            flows: Capacity.flows(neededBy: endpoints))
        return capacity.shortage(for: need) == nil ? nil : need
    }

    /// Larger maps for a need, if they may be so large.
    ///
    /// - Parameter need: How many entries each map has to hold.
    /// - Returns: Nil where the maximum is exceeded.
    public func capacity(for need: Capacity) -> Capacity? {
        guard configuration.most.shortage(for: need) == nil else { return nil }
        return capacity.grown(for: need).limited(to: configuration.most.union(capacity))
    }

    /// What the maps hold now; the flow table is made for so many endpoints.
    public var load: Capacity {
        var load = used
        load.endpoints = Int(highestUsedNumber)
        load.own = max(used.own, locals.count)
        load.flows = Capacity.flows(neededBy: numbers.count)
        return load
    }
}
