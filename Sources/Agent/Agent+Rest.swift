internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy

/// Where news come from that may have to wait.
struct Origin {
    let source: EventSource
    let descriptor: CInt
    let interest: Poller.Interest
}

/// News that nobody listens to until their time comes; until then they wait in the kernel.
struct Rest {
    let origin: Origin
    let end: ContinuousClock.Instant
}

/// One tenant's events must not hold up what others wait for: a change of policy, or their own addresses.
extension Agent {
    /// Whose doing an event is; nil where it is never held back, as of the host's own links.
    func origin(of token: UInt64) -> Origin? {
        switch Source(rawValue: token >> 56) {
        case .names:
            return Origin(
                source: .folders, descriptor: source.folders.namesDescriptor, interest: .readable)
        case .mounts:
            return Origin(
                source: .folders, descriptor: source.folders.mountsDescriptor, interest: .priority)
        case .links, .rulesets:
            guard let id = idOfSlot[token & (1 << 56 - 1)], id != host, let tenure = tenures[id]
            else { return nil }
            return Origin(
                source: eventSource(of: id),
                descriptor: token >> 56 == Source.links.rawValue
                    ? tenure.monitor.descriptor : tenure.rulesets.rawValue,
                interest: .readable)
        default: return nil
        }
    }

    /// Whether news may be looked at now; where they may not, their source rests until they may.
    func mayCall(_ origin: Origin, _ token: UInt64, at now: ContinuousClock.Instant) -> Bool {
        guard let end = throttle.pause(of: origin.source, at: now) else { return true }
        do throws(SystemError) {
            try loop.unwatch(origin.descriptor)
            resting[token] = Rest(origin: origin, end: end)
            return false
        } catch {
            logger.error("\(error)")
            return true
        }
    }

    /// Where the events of a namespace come from.
    func eventSource(of id: NamespaceID) -> EventSource {
        endpoint(id).map { .tenant($0.tenant) } ?? .unclaimed
    }

    /// Listens again to what has rested long enough: the loop is told at once if something waits there.
    ///
    /// The table of mounts tells each change to one poll only (`mounts_poll`, Linux 6.18), and that one was before the rest:
    /// what is mounted now is looked at without being told.
    func endRests(_ now: ContinuousClock.Instant) {
        for (token, rest) in resting where rest.end <= now {
            resting[token] = nil
            guard let source = Source(rawValue: token >> 56) else { continue }
            watch(
                rest.origin.descriptor, source, token & (1 << 56 - 1), for: rest.origin.interest)
            if source == .mounts {
                lookForDirectory()
                surroundingsChanged([token])
            }
        }
    }

    /// Reads the links of namespaces that nobody listens to, so that what others wait for is judged by how things are.
    func refreshResting() {
        for token in resting.keys where Source(rawValue: token >> 56) == .links {
            if let id = idOfSlot[token & (1 << 56 - 1)] { refreshInterfaces(of: id) }
        }
    }
}
