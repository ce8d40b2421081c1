import Compiler
import Glibc
import NetTypes
import Policy
import Rules
import Testing

/// Long lists of networks: what they cost as they grow, and what moves when something else changes.
@Suite(.serialized) struct CostTests {
    /// A policy with a list, one beside it, and a few endpoints.
    private struct Ground {
        var set: PolicySet
        var endpoints: [Endpoint] = [
            Self.endpoint(1, "blue"), Self.endpoint(2, "green"), Self.endpoint(3, "blue"),
        ]

        init(networks count: Int, asExceptions: Bool) throws {
            set = try PolicySet(checking: [
                PolicyFile(parsing: Self.list(count, asExceptions), path: "list.yaml"),
                PolicyFile(parsing: Self.others, path: "others.yaml"),
                PolicyFile(parsing: Self.beside(80), path: "beside.yaml"),
            ])
        }

        var topology: Topology {
            Topology(
                endpoints: endpoints, host: AddressSet([IPAddress.v4(0x0a5a_00fe)]),
                local: AddressSet(endpoints.flatMap(\.addresses)), conflicts: [], unknown: [])
        }

        static func endpoint(_ number: UInt64, _ tenant: String) -> Endpoint {
            Endpoint(
                id: NamespaceID(device: 4, inode: number), name: "\(tenant)-\(number)",
                tenant: tenant, labels: [:],
                addresses: [
                    .v4(0x0a5a_0000 + UInt32(number)), .v6(0xfd90 << 112 | UInt128(number)),
                ])
        }

        static func list(_ count: Int, _ asExceptions: Bool) -> String {
            let networks = (0..<count).map { index -> String in
                let address = IPAddress.v4(1 << 24 + UInt32(index) * 512)
                return asExceptions ? "      - \(address)/24\n" : "  - cidr: \(address)/24\n"
            }
            return
                "apiVersion: ringfence/v1\nkind: Policy\nname: list\nfrom: [{tenant: blue}]\nto:\n"
                + (asExceptions ? "  - cidr: 0.0.0.0/0\n    except:\n" : "") + networks.joined()
                + "allow: [{protocol: tcp, ports: [443]}]\n"
        }

        static func beside(_ port: Int) -> String {
            """
            apiVersion: ringfence/v1
            kind: Policy
            name: beside
            from: [{tenant: blue}]
            to: [{tenant: green}]
            allow: [{protocol: tcp, ports: [\(port)]}]

            """
        }

        private static let others = """
            apiVersion: ringfence/v1
            kind: Tenant
            name: blue
            world: {to: [{protocol: tcp, ports: [80]}]}
            ---
            apiVersion: ringfence/v1
            kind: Tenant
            name: green
            ---
            apiVersion: ringfence/v1
            kind: Tenant
            name: red

            """
    }

    /// The processor time of the shorter of two tries, in seconds: the machine has other work.
    private func time(_ body: () throws -> Void) rethrows -> Double {
        var best = Double.infinity
        for _ in 0..<2 {
            let start = Self.processorTime
            try body()
            best = min(best, Self.processorTime - start)
        }
        return best
    }

    /// Of this thread.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// How long each step takes with a list of a length.
    private func costs(_ count: Int, asExceptions: Bool) throws -> [String: Double] {
        var costs: [String: Double] = [:]
        let text = Ground.list(count, asExceptions)
        costs["reading"] = try time { _ = try PolicyFile(parsing: text, path: "list.yaml") }
        var ground = try Ground(networks: count, asExceptions: asExceptions)
        let topology = ground.topology
        let first = Compilation(of: ground.set, for: topology)
        costs["compiling"] = time { _ = Compilation(of: ground.set, for: topology) }
        ground.endpoints.append(Ground.endpoint(9, "blue"))
        let next = Compilation(of: ground.set, for: ground.topology, after: first)
        costs["a newcomer"] = time {
            _ = Compilation(of: ground.set, for: ground.topology, after: first)
        }
        let id = ground.endpoints[0].id
        let (before, after) = (first.states[id], try #require(next.states[id]))
        costs["the difference"] = time { _ = after.changes(from: before) }
        return costs
    }

    /// Six times as many cost about six times as much, and 36 times where the cost is quadratic.
    @Test(arguments: [true, false])
    func `the cost grows as the list does`(asExceptions: Bool) throws {
        let small = try costs(1_000, asExceptions: asExceptions)
        let large = try costs(6_000, asExceptions: asExceptions)
        for (step, cost) in large {
            let before = try #require(small[step])
            #expect(cost < before * 18 + 0.005, "\(step): \(before) s, then \(cost) s")
        }
    }

    @Test(arguments: [true, false])
    func `what comes beside a list moves little of it`(asExceptions: Bool) throws {
        var ground = try Ground(networks: 12_000, asExceptions: asExceptions)
        var compilation = Compilation(of: ground.set, for: ground.topology)
        let id = ground.endpoints[0].id
        #expect(try #require(compilation.states[id]).peers4.count > 12_000)
        for (number, tenant) in [(11, "red"), (12, "blue"), (13, "green"), (14, "red")] {
            ground.endpoints.append(Ground.endpoint(UInt64(number), tenant))
            let next = Compilation(of: ground.set, for: ground.topology, after: compilation)
            let changes = try #require(next.states[id]).changes(from: compilation.states[id])
            #expect(changes.count < 4_000, "\(tenant)")
            compilation = next
        }
    }

    @Test func `a change of a policy beside a list moves nothing of it`() throws {
        let ground = try Ground(networks: 12_000, asExceptions: true)
        var compilation = Compilation(of: ground.set, for: ground.topology)
        let before = compilation
        let next = try ground.set.replacing([
            "beside.yaml": PolicyFile(parsing: Ground.beside(81), path: "beside.yaml")
        ])
        let changed = compilation.follow(next, changed: ["beside.yaml"])
        #expect(changed.count == 3)
        #expect(compilation.states == Compilation(of: next, for: ground.topology).states)
        let id = ground.endpoints[0].id
        let changes = try #require(compilation.states[id]).changes(from: before.states[id])
        #expect(changes.peers4.isEmpty && changes.peers6.isEmpty)
        // A rule, and its admission to the one IPv4 class and the one IPv6 class.
        #expect(changes.count == 6)
    }

    /// Both rules open the last port to the same peers.
    @Test func `many ports that overlap with those of another rule`() throws {
        func set(_ count: Int) throws -> PolicySet {
            func policy(_ name: String, _ ports: String) -> String {
                """
                apiVersion: ringfence/v1
                kind: Policy
                name: \(name)
                from: [{tenant: blue}]
                to: [{cidr: 192.0.2.0/24}]
                allow: [{protocol: tcp, ports: [\(ports)]}]

                """
            }
            let list = (1...count).map { "\(2 * $0)" }.joined(separator: ", ")
            let tenant = "apiVersion: ringfence/v1\nkind: Tenant\nname: blue\n"
            let texts = [tenant, policy("a", list), policy("b", "\(2 * count)")]
            return try PolicySet(checking: [
                PolicyFile(parsing: texts.joined(separator: "---\n"), path: "a.yaml")
            ])
        }
        let topology = try Ground(networks: 1, asExceptions: true).topology
        let (few, many) = (try set(600), try set(3_600))
        let small = time { _ = Compilation(of: few, for: topology) }
        let large = time { _ = Compilation(of: many, for: topology) }
        #expect(large < small * 18 + 0.005, "\(small) s, then \(large) s")
    }

    @Test func `many policies of one network each cost no more`() throws {
        func set(_ count: Int) throws -> PolicySet {
            let policies = (0..<count).map { index in
                """
                apiVersion: ringfence/v1
                kind: Policy
                name: p\(index)
                from: [{tenant: blue}]
                to: [{cidr: \(IPAddress.v4(1 << 24 + UInt32(index) * 512))/24}]
                allow: [{protocol: tcp, ports: [443]}]

                """
            }
            let tenant = "apiVersion: ringfence/v1\nkind: Tenant\nname: blue\n"
            return try PolicySet(checking: [
                PolicyFile(
                    parsing: ([tenant] + policies).joined(separator: "---\n"), path: "a.yaml")
            ])
        }
        let topology = try Ground(networks: 1, asExceptions: true).topology
        let (few, many) = (try set(200), try set(1_200))
        let small = time { _ = Compilation(of: few, for: topology) }
        let large = time { _ = Compilation(of: many, for: topology) }
        #expect(large < small * 18 + 0.005, "\(small) s, then \(large) s")
    }
}
