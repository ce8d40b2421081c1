internal import Linux
internal import NetTypes
internal import Nftables
internal import Policy

/// A namespace that was opened and read, before the agent's state knows of it.
struct Entry: Sendable {
    let tenure: Tenure
    let observed: ObservedNamespace
    let holding: Holding?
    let leftovers: [Leftover]
    /// Why its table can't be had; the namespace is entered all the same.
    let refusal: NftablesError?

    /// Why it could not be, and what was taken from the socket all the same.
    struct Failure: Error {
        let reason: any Error
        var leftovers: [Leftover] = []
    }

    /// Opens and reads a namespace; a table that is as an earlier agent left it isn't read.
    ///
    /// - Parameters:
    ///   - found: The namespace.
    ///   - slot: Tells its events from others.
    ///   - keeper: Who may have its socket.
    ///   - host: The namespace of the veths' host ends.
    ///   - left: How an earlier agent left its table.
    /// - Throws: Why it could not be opened or its links not be read. A table that can't be had is no reason: the root of a
    ///   namespace can make one that is another's, and its addresses have to be known all the same.
    init(
        _ found: NamespaceSource.Found, slot: UInt64, keeper: SocketKeeper?,
        host: HostNamespace?, left: Checkpoint.Table?
    ) throws(Failure) {
        do throws(SystemError) {
            let namespace = try persistently { () throws(SystemError) in try Self.open(found) }
            tenure = try persistently { () throws(SystemError) in
                try Tenure(entering: namespace, slot: slot, keeper: keeper, host: host)
            }
            let tenure = tenure
            observed = try persistently { () throws(SystemError) in
                try tenure.observe(paths: found.paths, pids: found.pids)
            }
        } catch {
            throw Failure(reason: error)
        }
        // Whatever else is asked on the socket throws away what waits in it, so this comes first.
        var leftovers: [Leftover] = []
        do throws(NftablesError) {
            let tenure = tenure
            if tenure.isInherited {
                try persistently { () throws(NftablesError) in
                    try tenure.table.takeLeftovers(into: &leftovers)
                }
            }
            holding = try persistently { () throws(NftablesError) in
                if let left, try tenure.table.generation() == left.ruleset {
                    return Holding(
                        presence: tenure.isInherited ? .owned : .orphaned,
                        generation: left.generation, ruleset: left.ruleset, isAsLeft: true)
                }
                return try Holding(reading: tenure)
            }
            refusal = nil
        } catch {
            holding = nil
            refusal = error
        }
        self.leftovers = leftovers
    }

    private static func open(
        _ found: NamespaceSource.Found
    ) throws(SystemError) -> NetworkNamespace {
        guard let path = found.paths.first else {
            return try NetworkNamespace(pid: found.pids.first ?? 0)
        }
        return try NetworkNamespace(at: path)
    }
}
