import NetTypes
import Policy
import Testing

@testable import Lab

@Suite struct LabTopologyTests {
    @Test func `reads all there is`() throws {
        let topology = try LabTopology(
            reading: """
                apiVersion: ringfence/v1
                kind: Lab
                name: demo
                fabric: routed
                subnet4: 10.77.0.0/24
                subnet6: fd77::/64
                namespaces:
                  - name: shop-web
                  - name: db-1
                    addresses: [10.77.0.2, fd77::20]
                  - name: shop-api
                listeners:
                  - {protocol: tcp, port: 5432}
                  - {protocol: udp, port: 53}
                nat:
                  - dnat: {protocol: tcp, address: 10.96.0.1, port: 80, to: 10.77.0.2, toPort: 8080}
                  - snat: {from: 10.77.0.3, to: 10.99.0.1}
                  - masquerade: {from: 10.77.0.0/24}
                """, file: "lab.yaml")
        #expect(topology.fabric == .routed)
        #expect(
            topology.namespaces.map { $0.addresses.map(\.description) } == [
                ["10.77.0.3", "fd77::2"], ["10.77.0.2", "fd77::20"], ["10.77.0.4", "fd77::3"],
            ])
        #expect(topology.listeners.map(\.description) == ["tcp/5432", "udp/53"])
        #expect(topology.translations.count == 3)
        #expect(
            topology.translations.script.contains(
                "ip daddr 10.96.0.1 tcp dport 80 dnat ip to 10.77.0.2:8080"))
    }

    @Test(
        arguments: [
            ("name: BAD", "3:7", "'name' is missing or no name"),
            ("name: a\nfabric: woven", "4:9", "there is no such fabric"),
            ("name: a\nname: b", "1:1", "this is not YAML"),
            ("name: a\nsubnet4: 10.0.0.1/24", "4:10", "'subnet4' is no network"),
            ("name: a\nsubnet4: fd00::/64", "4:10", "'subnet4' is of the other family"),
            ("name: a\ncolour: red", "4:1", "a lab has no 'colour'"),
            ("name: a\nlisteners: [{protocol: icmp, port: 1}]", "4:24", "'protocol' is missing"),
            ("name: a\nlisteners: [{protocol: tcp, port: 0}]", "4:35", "'port' is missing"),
            ("name: a\nnat: [{snat: {from: 10.0.0.1, to: x}}]", "4:35", "'to' is missing"),
            ("name: [", "", "this is not YAML"),
        ] as [(String, String, String)])
    func `says what is wrong, and where`(_ lines: String, _ place: String, _ message: String) {
        let text = """
            apiVersion: ringfence/v1
            kind: Lab
            \(lines)
            """
        do throws(PolicyErrors) {
            _ = try LabTopology(
                reading: text
                    + "\nnamespaces: [{name: x, addresses: [10.0.0.2]}]\(lines.contains("fabric") ? "" : "\nfabric: routed")",
                file: "lab.yaml")
            Issue.record("it was accepted")
        } catch {
            #expect(
                error.diagnostics.contains {
                    $0.description.hasPrefix("lab.yaml:\(place)") && $0.message.hasPrefix(message)
                }, "\(error)")
        }
    }

    @Test func `never gives an address twice, nor the host's or the broadcast address`() throws {
        func lab(_ count: Int) throws -> LabTopology {
            let names = (0..<count).map { "  - name: n\($0)" }.joined(separator: "\n")
            return try LabTopology(
                reading: """
                    apiVersion: ringfence/v1
                    kind: Lab
                    name: demo
                    subnet4: 10.0.0.0/29
                    namespaces:
                    \(names)
                    """, file: "lab.yaml")
        }
        #expect(
            try lab(5).namespaces.flatMap(\.addresses).map(\.description)
                == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"])
        #expect(throws: PolicyErrors.self) { try lab(6) }
    }
}
