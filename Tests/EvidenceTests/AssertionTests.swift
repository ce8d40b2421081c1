import Evidence
import Policy
import Testing
import Verifier

@Suite struct AssertionTests {
    private func results(broken: String? = nil) throws -> [String: AssertionResult] {
        let policies = try Samples.policies()
        let topology = Samples.topology(policies)
        let reachability = Reachability(policies, in: topology)
        let kernel = Samples.kernel(topology, broken: broken)
        return Dictionary(
            uniqueKeysWithValues: policies.assertions.map {
                ($0.name, AssertionResult(reachability.answer($0), kernel: kernel))
            })
    }

    @Test func `what holds is proven where the kernel is`() throws {
        let results = try results()
        #expect(results["direct"]?.outcome == .proven)
        #expect(results["only"]?.outcome == .proven)
    }

    @Test func `a chain is found, with each hop and its rule`() throws {
        let through = try #require(try results()["through"])
        #expect(through.outcome == .violated)
        let path = try #require(through.answer.violations.first?.path)
        #expect(path.map(\.source.party) == ["dev/dev-1", "shop/shop-1"])
        #expect(path.map(\.destination.party) == ["shop/shop-1", "db/db-1"])
        #expect(path.map(\.service) == ["tcp 22", "tcp 5432"])
        #expect(path.map { $0.ingress?.policy } == ["dev-to-shop", "shop-to-db"])
        #expect(path.map { $0.ingress?.place.line } == [31, 24])
    }

    @Test func `an endpoint that is not proven leaves what hangs on it unproven`() throws {
        let results = try results(broken: "db-1")
        #expect(results["direct"]?.outcome == .notProven)
        #expect(results["direct"]?.doubts == ["db/db-1 is violated"])
        #expect(results["through"]?.outcome == .violated)
    }

    @Test func `each claim is a sentence`() throws {
        let statements = try results().mapValues(\.answer.statement)
        #expect(statements["direct"] == "no path from dev to tenants pci=true")
        #expect(
            statements["through"] == "no path from dev to db, through any chain of endpoints")
        #expect(
            statements["only"]
                == "db can be reached from shop over tcp pg, and from nobody else")
    }

    @Test(
        arguments: [
            ("noPath: {from: [{tenant: dev}], to: [{tenant: shop}]}", 1),
            ("noPath: {from: [{tenant: shop}], to: [{tenant: dev}]}", 0),
            (
                "noPath: {from: [{tenant: dev}], to: [{tenant: shop}], over: [{protocol: udp}]}", 0
            ),
            ("noPath: {from: [{cidr: 10.0.0.0/24}], to: [{tenant: db}]}", 1),
            ("noPath: {from: [world], to: [{tenants: all}], transitive: true}", 0),
            ("onlyFrom: {from: [{tenant: shop}], to: [{tenant: db}]}", 0),
            ("onlyFrom: {from: [{tenant: dev}], to: [{tenant: db}]}", 1),
            // Not over 5433 as well, and not over 5432 at all.
            (
                """
                onlyFrom: {from: [{tenant: shop}], to: [{tenant: db}],
                           over: [{protocol: tcp, ports: [5433]}]}
                """, 2
            ),
            (
                """
                reachable: {from: [{tenant: dev}], to: [{tenant: shop}],
                            over: [{protocol: tcp, ports: [80]}]}
                """, 0
            ),
            (
                """
                reachable: {from: [{tenant: dev}], to: [{tenant: shop}],
                            over: [{protocol: tcp, ports: [80-81]}]}
                """, 1
            ),
            (
                """
                reachable: {from: [{tenant: dev}], to: [{tenant: db}],
                            over: [{protocol: tcp, ports: [pg]}], transitive: true}
                """, 0
            ),
        ] as [(String, Int)]
    )
    func `counts what is violated`(_ claim: String, _ count: Int) throws {
        let text =
            Samples.text + "---\napiVersion: ringfence/v1\nkind: Assertion\nname: a\n\(claim)\n"
        let policies = try PolicySet(checking: [PolicyFile(parsing: text, path: "a.yaml")])
        let assertion = try #require(policies.assertions.first { $0.name == "a" })
        let answer = Reachability(policies, in: Samples.topology(policies)).answer(assertion)
        #expect(answer.violationCount == count, "\(answer.violations)")
        #expect(answer.holds == (count == 0))
    }

    @Test func `a side that means nobody is said`() throws {
        let text =
            Samples.text
            + "---\napiVersion: ringfence/v1\nkind: Assertion\nname: a\n"
            + "noPath: {from: [{tenants: {matchLabels: {env: none}}}], to: [{tenant: db}]}\n"
        let policies = try PolicySet(checking: [PolicyFile(parsing: text, path: "a.yaml")])
        let assertion = try #require(policies.assertions.first { $0.name == "a" })
        let answer = Reachability(policies, in: Samples.topology(policies)).answer(assertion)
        #expect(answer.holds)
        #expect(answer.notes == ["nobody on this machine is meant by 'from'"])
    }
}
