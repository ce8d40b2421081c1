import Compiler
import NetTypes
import Policy
import Rules
import TestSupport
import Testing

/// A mark stands for all that a rule opens at an endpoint: it stays as long as that stays, and
/// changes when anything of it goes.
@Suite struct MarkTests {
    private static let tenants = """
        apiVersion: ringfence/v1
        kind: Tenant
        name: shop
        endpoints: [{namespace: shop-*}]
        internal: deny
        ---
        apiVersion: ringfence/v1
        kind: Tenant
        name: db
        endpoints: [{namespace: db-*, labels: {app: pg}}, {namespace: db-2, labels: {role: spare}}]
        ports: {pg: PORT}
        internal: deny

        """
    private static let rule = """
        apiVersion: ringfence/v1
        kind: Policy
        name: shop-to-db
        from: [{tenant: shop}]
        to: [{tenant: db}]
        allow: [{protocol: tcp, ports: [pg]}]

        """
    private static let unrelated = """
        apiVersion: ringfence/v1
        kind: Policy
        name: a-world-to-shop
        from: [world, {cidr: 10.0.0.0/8}]
        to: [{tenant: shop}]
        allow: [{protocol: any}]

        """
    private static let world = "shop-1 10.0.0.1\ndb-1 10.0.0.2 fd00::2\ndb-2 10.0.0.3\n"

    /// The mark of `shop-to-db` at an endpoint.
    private func mark(
        at name: String = "shop-1", world text: String = Self.world, port: Int = 5432,
        files: [String: String] = ["rules.yaml": Self.rule]
    ) throws -> Mark? {
        let tenants = Self.tenants.replacing("PORT", with: "\(port)")
        var parsed = [try PolicyFile(parsing: tenants, path: "tenants.yaml")]
        for (path, text) in files { parsed.append(try PolicyFile(parsing: text, path: path)) }
        let set = try PolicySet(checking: parsed)
        let topology = PlainWorld(parsing: text).topology(of: set)
        let endpoint = try #require(topology.endpoints.first { $0.name == name })
        let state = Compilation(of: set, for: topology).states[endpoint.id]
        return state?.rules.entries.first { $0.rule.policy == "shop-to-db" }?.mark
    }

    @Test func `stays when the file is moved`() throws {
        #expect(try mark() == mark(files: ["elsewhere/moved.yaml": Self.rule]))
    }

    @Test func `stays when other rules come`() throws {
        let files = ["rules.yaml": Self.rule, "a.yaml": Self.unrelated]
        #expect(try mark() == mark(files: files))
        #expect(try mark() == mark(files: ["rules.yaml": "# a remark\n" + Self.rule]))
    }

    @Test func `stays at the other end when an endpoint comes there`() throws {
        let grown = Self.world + "db-3 10.0.0.9\n"
        #expect(try mark(at: "db-1") == mark(at: "db-1", world: grown))
    }

    @Test(
        arguments: [
            "shop-1 10.0.0.1\ndb-1 10.0.0.2 fd00::2\n",
            "shop-1 10.0.0.1\ndb-1 10.0.0.2\ndb-2 10.0.0.3\n",
            "shop-1 10.0.0.1\ndb-1 fd00::2\ndb-2 10.0.0.3\n",
        ])
    func `changes when a peer loses an address`(_ shrunken: String) throws {
        #expect(try mark() != mark(world: shrunken))
    }

    @Test func `changes when the port behind a name changes`() throws {
        #expect(try mark() != mark(port: 5433))
    }

    @Test func `changes when a label takes an endpoint away`() throws {
        let narrower = Self.rule.replacing(
            "{tenant: db}",
            with: "{tenant: db, endpoints: {matchExpressions: "
                + "[{key: role, operator: DoesNotExist}]}}")
        #expect(try mark() != mark(files: ["rules.yaml": narrower]))
        #expect(try mark(at: "db-2", files: ["rules.yaml": narrower]) == nil)
    }

    @Test func `differs between the directions`() throws {
        #expect(try mark(at: "shop-1") != mark(at: "db-1"))
    }
}
