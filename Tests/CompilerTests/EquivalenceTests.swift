import Compiler
import NetTypes
import Policy
import Rules
import TestSupport
import Testing

/// The state depends on what the files say now, never on the way that led there.
@Suite struct EquivalenceTests {
    @Test(arguments: Seeds.all)
    func `following a change gives what a fresh start gives`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        var files = RandomPolicies(seed: random.next())
        var set = try files.policySet()
        var followed = Compilation(of: set, for: world.topology(of: set))
        for change in 1...60 {
            // Tenants that change their namespaces change the topology: that is no edit any more.
            let edited = files.edit()
            set = try replacing(edited, of: set, with: files)
            #expect(try set == files.policySet())
            let before = followed.states
            let changed = followed.follow(set, changed: edited)
            let fresh = Compilation(of: set, for: world.topology(of: set))
            #expect(followed.states == fresh.states, "seed \(seed), change \(change)")
            #expect(followed.errors == fresh.errors)
            let different = fresh.states.filter { $0.value != before[$0.key] }
            #expect(changed == Set(different.keys), "seed \(seed), change \(change)")
        }
    }

    @Test(arguments: Seeds.all)
    func `what was compiled for earlier namespaces changes nothing`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        var files = RandomPolicies(seed: random.next())
        var earlier: Compilation?
        for change in 1...60 {
            if random.once(in: 3) { _ = files.edit() }
            if random.once(in: 6) { files.replaceTenants() }
            let set = try files.policySet()
            let observed = random.some(of: world.namespaces, 0...world.namespaces.count)
            let topology = set.topology(observed: observed + [world.host], host: world.host.id)
            let next = Compilation(of: set, for: topology, after: earlier)
            let fresh = Compilation(of: set, for: topology)
            #expect(next.states == fresh.states, "seed \(seed), change \(change)")
            #expect(next.errors.isEmpty && fresh.errors.isEmpty)
            earlier = next
        }
    }

    @Test(arguments: Seeds.all)
    func `a difference is what one state has and the other has not`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var files = RandomPolicies(seed: seed)
        var before: [NamespaceID: EndpointState] = [:]
        for _ in 1...30 {
            _ = files.edit()
            let set = try files.policySet()
            let states = Compilation(of: set, for: world.topology(of: set)).states
            for (id, state) in states {
                let held = before[id] ?? .closed
                let changes = state.changes(from: held)
                #expect(changes.peers4.added == state.peers4.filter { !held.peers4.contains($0) })
                #expect(changes.peers4.removed == held.peers4.filter { !state.peers4.contains($0) })
                #expect(
                    changes.ingress.added == state.ingress.filter { !held.ingress.contains($0) })
                #expect(
                    changes.ingress.removed == held.ingress.filter { !state.ingress.contains($0) })
                #expect(changes.own.removed == held.own.filter { !state.own.contains($0) })
                let rules = (held.rules.entries, state.rules.entries)
                #expect(changes.rules.added == rules.1.filter { !rules.0.contains($0) })
                #expect(changes.rules.removed == rules.0.filter { !rules.1.contains($0) })
            }
            before = states
        }
    }

    /// Lists that mean the same in any order must not take theirs from a hash table.
    @Test func `a text has one reading`() throws {
        let text = """
            apiVersion: ringfence/v1
            kind: Tenant
            name: shop
            world:
              from:
                - protocol: icmp
                  types: [0, {type: 0, code: 0}, 8, {type: 8, code: 0}, 13, {type: 13, code: 0}]

            """
        let first = try PolicyFile(parsing: text, path: "a.yaml")
        for _ in 1...50 {
            #expect(try PolicyFile(parsing: text, path: "a.yaml") == first)
        }
    }

    private func replacing(
        _ paths: Set<String>, of set: PolicySet, with files: RandomPolicies
    ) throws -> PolicySet {
        var changes: [String: PolicyFile?] = [:]
        for path in paths {
            changes[path] = .some(
                try files.texts[path].map { try PolicyFile(parsing: $0, path: path) })
        }
        return try set.replacing(changes)
    }

    @Test(arguments: Seeds.all)
    func `tenants that change are followed as well`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var files = RandomPolicies(seed: seed)
        let before = try files.policySet()
        let topology = world.topology(of: before)
        let compilation = Compilation(of: before, for: topology)
        for _ in 1...10 {
            files.replaceTenants()
            let after = try files.policySet()
            var followed = compilation
            let changed = followed.follow(after, changed: Set(files.texts.keys))
            let fresh = Compilation(of: after, for: topology)
            #expect(followed.states == fresh.states)
            let different = fresh.states.filter { $0.value != compilation.states[$0.key] }
            #expect(changed == Set(different.keys))
        }
    }

    @Test(arguments: Seeds.all)
    func `the order of files, namespaces and endpoints means nothing`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        for _ in 1...10 {
            let files = RandomPolicies(seed: random.next())
            let set = try files.policySet()
            let expected = Compilation(of: set, for: world.topology(of: set)).states

            let shuffled = try PolicySet(checking: set.files.values.shuffled(using: &random))
            let observed = (world.namespaces + [world.host]).shuffled(using: &random)
            let topology = shuffled.topology(observed: observed, host: world.host.id)
            #expect(Compilation(of: shuffled, for: topology).states == expected)

            let disordered = Topology(
                endpoints: topology.endpoints.shuffled(using: &random), host: topology.host,
                local: topology.local, conflicts: topology.conflicts, unknown: topology.unknown)
            #expect(Compilation(of: shuffled, for: disordered).states == expected)
        }
    }
}
