import Compiler
import NetTypes
import Policy
import Rules
import Testing

/// A map that would overflow closes its endpoint and no other.
@Suite struct OverflowTests {
    private func compilation(addresses count: Int) throws -> Compilation {
        let text = """
            apiVersion: ringfence/v1
            kind: Tenant
            name: few
            internal: deny
            ---
            apiVersion: ringfence/v1
            kind: Tenant
            name: many
            internal: deny
            ---
            apiVersion: ringfence/v1
            kind: Policy
            name: few-to-many
            from: [{tenant: few}]
            to: [{tenant: many}]
            allow: [{protocol: any}]

            """
        let set = try PolicySet(checking: [try PolicyFile(parsing: text, path: "a.yaml")])
        // Every second address, so that no two are joined.
        let many = (0..<count).map { IPAddress.v4(0x0b00_0000 + 2 * UInt32($0)) }
        func endpoint(_ inode: UInt64, _ tenant: String, _ addresses: [IPAddress]) -> Endpoint {
            Endpoint(
                id: NamespaceID(device: 4, inode: inode), name: "\(tenant)-1", tenant: tenant,
                labels: [:], addresses: addresses)
        }
        let endpoints = [endpoint(1, "few", [.v4(0x0a00_0001)]), endpoint(2, "many", many)]
        return Compilation(
            of: set,
            for: Topology(
                endpoints: endpoints, host: AddressSet(), local: AddressSet(many), conflicts: [],
                unknown: []))
    }

    private let few = NamespaceID(device: 4, inode: 1)

    @Test func `the greatest map is compiled`() throws {
        let compilation = try compilation(addresses: CompileError.limit)
        #expect(compilation.errors.isEmpty)
        #expect(compilation.states[few]?.peers4.count == CompileError.limit)
    }

    @Test func `one element more closes the endpoint and names the map`() throws {
        let compilation = try compilation(addresses: CompileError.limit + 1)
        #expect(compilation.errors.keys.map(\.inode) == [1])
        let error = try #require(compilation.errors[few])
        #expect(error.map == "peers4" && error.endpoint == "few-1")
        #expect(error.count == CompileError.limit + 1)
        #expect("\(error)".contains("fix: "))
        #expect(compilation.states[few] == EndpointState(own: [.v4(0x0a00_0001)]))
    }
}
