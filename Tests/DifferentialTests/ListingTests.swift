import Compiler
import Foundation
import Linux
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport
import Testing

/// Operators read the table with `nft`, so `nft` has to be able to.
@Suite struct ListingTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden")

    private static let policies = """
        apiVersion: ringfence/v1
        kind: Tenant
        name: shop
        endpoints: [{namespace: shop-*}]
        host: {from: all}
        world: {to: [{protocol: udp, ports: [53]}]}
        ---
        apiVersion: ringfence/v1
        kind: Tenant
        name: db
        endpoints: [{namespace: db-*}]
        ports: {pg: 5432}
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: shop-to-db
        from: [{tenant: shop}]
        to: [{tenant: db}]
        allow: [{protocol: tcp, ports: [pg, 8000-8010]}, {protocol: icmp, types: [echo-request]}]
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: shop-to-backup
        from: [{tenant: shop}]
        to: [{cidr: 192.0.2.0/24, except: [192.0.2.0/29]}, {cidr: 2001:db8::/32}]
        allow: [{protocol: any}]

        """
    private static let world = """
        shop-1 10.0.1.1 fd00:1::1
        shop-2 10.0.1.2
        db-1 10.0.2.1 fd00:2::1
        host 10.0.0.1 fd00::1
        """

    @Test func `the table is listed as it is kept`() throws {
        let file = try PolicyFile(parsing: Self.policies, path: "policies.yaml")
        let set = try PolicySet(checking: [file])
        let topology = PlainWorld(parsing: Self.world).topology(of: set)
        let endpoint = try #require(topology.endpoints.first { $0.name == "shop-1" })
        let state = try #require(Compilation(of: set, for: topology).states[endpoint.id])
        let namespace = try NetworkNamespace.temporary()
        try apply(state, in: namespace)
        // Nobody owns the table any more: the owner's name and port would differ with every run.
        let text = try NamespaceCommand(namespace).run("nft list table inet ringfence")
        #expect(try Golden(Self.folder.appending(path: "table.nft")).difference(from: text) == nil)
        #expect(text.contains("comment \"shop-to-db out #"))
    }

    private func apply(_ state: EndpointState, in namespace: borrowing NetworkNamespace) throws {
        let table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        _ = try table.apply(state.changes(from: nil), presence: .absent)
    }

    @Test(arguments: Seeds.all)
    func `nft lists whatever random policies make`(_ seed: UInt64) throws {
        let namespace = try NetworkNamespace.temporary()
        let command = NamespaceCommand(namespace)
        let table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        var random = SeededGenerator(seed: seed)
        var held: EndpointState?
        for _ in 1...8 {
            let set = try RandomPolicies(seed: random.next()).policySet()
            let topology = SmallWorld().topology(of: set)
            for state in Compilation(of: set, for: topology).states.values {
                _ = try table.apply(
                    state.changes(from: held), presence: held == nil ? .absent : .owned)
                held = state
            }
            #expect(try command.run("nft list table inet ringfence").contains("judge_out"))
        }
    }
}
