internal import AgentCore
internal import HostFilter
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports

/// Whether the programs of the host filter still stand where they should, and alone.
///
/// The kernel tells nobody of a link of a program that was detached, nor who did it: so it is asked, once a second.
extension Agent {
    /// Looks at the hooks; a look takes a fiftieth of the time at most.
    func checkGuards(_ now: ContinuousClock.Instant) {
        guard let hostFilter else { return }
        guard let posts else {
            // They don't stand yet, which is tried again by itself.
            schedule.set(.guards, at: now + .seconds(1))
            return
        }
        let endpoints = Dictionary(posts.map { ($0.key.interface, $0.value) }) { $1 }
        do {
            let absent = try inHostNamespace { () throws(BPFError) in hostFilter.absentPrograms() }
            if !absent.isEmpty { try putBack(absent, posts, endpoints, hostFilter) }
            let others = try inHostNamespace { () throws(BPFError) in hostFilter.otherPrograms() }
            tellPrograms(others, endpoints)
        } catch {
            logger.error("the programs of the host filter: \(error)")
        }
        let end = ContinuousClock.now
        schedule.set(.guards, at: end + max(.seconds(1), (end - now) * 50))
    }

    private func putBack(
        _ absent: [Int32: [String]], _ posts: [Post: NamespaceID],
        _ endpoints: [Int32: NamespaceID], _ filter: HostFilter
    ) throws(BPFError) {
        let start = ContinuousClock.now
        let failures = try guardPosts(posts, filter)
        let time = (ContinuousClock.now - start).milliseconds
        for (interface, programs) in absent.sorted(by: { $0.key < $1.key }) {
            guard let id = endpoints[interface] else { continue }
            let failure = failures[interface]
            note(
                .hostFilter, subject: "\(interface)", of: id,
                "\(programs.joined(separator: " and ")) did not stand at "
                    + interfaceName(interface) + (failure.map { ": \($0)" } ?? ""),
                isRepaired: failure == nil, after: failure == nil ? time : nil)
        }
    }

    /// Tells of programs of others that came or went.
    private func tellPrograms(_ found: [Int32: [String]], _ endpoints: [Int32: NamespaceID]) {
        var now: [NamespaceID: Set<String>] = [:]
        for (interface, programs) in found {
            guard let id = endpoints[interface] else { continue }
            now[id, default: []].formUnion(
                programs.map { "\($0) on \(interfaceName(interface))" })
        }
        let before = (ledger.otherPrograms ?? [:]).mapValues(Set.init)
        guard now != before else { return }
        for id in Set(endpoints.values).sorted() {
            let (old, new) = (before[id] ?? [], now[id] ?? [])
            for program in new.subtracting(old).sorted() {
                note(
                    .otherProgram, subject: program, of: id,
                    "another program beside the host filter: \(program)")
            }
            for program in old.subtracting(new).sorted() {
                note(
                    .otherProgramGone, subject: program, of: id,
                    "another program is gone: \(program)")
            }
        }
        ledger.otherPrograms = now.isEmpty ? nil : now.mapValues { $0.sorted() }
        saveSoon()
    }

    /// Tells of endpoints that the host filter has lost sight of.
    func tellUnguarded(
        _ before: [Post: NamespaceID], now: [Post: NamespaceID], _ known: Set<NamespaceID>
    ) {
        let standing = Set(now.values)
        for (post, id) in before.sorted(by: { $0.key.interface < $1.key.interface })
        where known.contains(id) && !standing.contains(id) {
            note(
                .link, subject: "\(post.interface)", of: id,
                "the other end of its veth, \(interfaceName(post.interface)), is no longer in the "
                    + "host namespace: the host filter doesn't see the endpoint")
        }
    }

    private func interfaceName(_ index: Int32) -> String {
        host.flatMap { observed[$0] }?.interfaces.first { $0.index == index }?.name
            ?? "interface \(index)"
    }
}
