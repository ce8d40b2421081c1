internal import HostFilter
internal import Linux
internal import Logging
internal import NetTypes

/// One agent at a time writes to the host filter of a host namespace.
extension Agent {
    /// Takes the right to write to the host filter, before anything is written anywhere.
    ///
    /// - Returns: The right, which has to be kept as long as the agent runs; nil where the host filter is
    ///   off, or where the kernel has none.
    /// - Throws: `HostFilterLock.Held` where another agent still has it after a while.
    func claimHostFilter() async throws -> HostFilterLock? {
        guard configuration.hostFilter != .off else { return nil }
        let deadline = ContinuousClock.now + configuration.claimPatience
        var isTold = false
        while true {
            switch attemptClaim() {
            case nil: return nil
            case .taken(let lock): return lock
            case .held(let held):
                guard ContinuousClock.now < deadline else { throw held }
                if !isTold { logger.warning("waiting \(configuration.claimPatience): \(held)") }
                isTold = true
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func attemptClaim() -> HostFilterLock.Outcome? {
        do throws(BPFError) {
            return try inHostNamespace { () throws(BPFError) in
                let host: UInt64
                do throws(SystemError) {
                    host = try NetworkNamespace.current().id.inode
                } catch {
                    throw BPFError(error)
                }
                return try HostFilterLock.take(root: configuration.bpfFileSystem, host: host)
            }
        } catch {
            // Whoever has no BPF file system has no maps to share; opening the filter says it again.
            logger.error("the host filter can't be locked: \(error)")
            return nil
        }
    }
}
