import Foundation
import Linux
import NetTypes
import Policy
import Testing

@testable import Lab

/// A lab that goes away with the object.
final class TemporaryLab {
    let lab: Lab
    let topology: LabTopology

    init(
        _ fabric: LabTopology.Fabric, count: Int = 3, listeners: [LabListener] = [],
        translations: [LabTranslation] = []
    ) throws {
        let text = """
            apiVersion: ringfence/v1
            kind: Lab
            name: t\(UInt32.random(in: 0 ... .max))
            fabric: \(fabric.rawValue)
            subnet4: 10.77.0.0/16
            subnet6: fd77::/64
            namespaces:
            \((1...count).map { "  - name: n\($0)" }.joined(separator: "\n"))
            """
        let plain = try LabTopology(reading: text, file: "lab.yaml")
        topology = LabTopology(
            name: plain.name, fabric: plain.fabric, subnets: plain.subnets,
            namespaces: plain.namespaces, listeners: listeners, translations: translations)
        lab = try Lab.up(topology)
    }

    func address(_ index: Int, _ family: AddressFamily = .v4) throws -> IPAddress {
        try #require(topology.namespaces[index].address(family))
    }

    func nft(_ commands: String, in namespace: String) throws {
        let path = try lab.path(of: namespace)
        var pid = pid_t()
        let command = ["nsenter", "--net=" + path, "nft", commands]
        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawnp(&pid, "nsenter", nil, nil, &arguments, environ) == 0)
        var status: CInt = -1
        waitpid(pid, &status, 0)
        #expect(status == 0, "\(commands)")
    }

    deinit { try? lab.down() }
}

@Suite(.serialized) struct LabTests {
    static let listeners = [LabListener(.tcp, port: 5432), LabListener(.udp, port: 53)]

    @Test(arguments: LabTopology.Fabric.allCases)
    func `all reach all by both families`(_ fabric: LabTopology.Fabric) throws {
        let lab = try TemporaryLab(fabric, count: 4, listeners: Self.listeners)
        let matrix = try lab.lab.probe(lab.topology).matrix()
        #expect(matrix.outcomes.count == 4 * 3 * 2 * 2)
        #expect(matrix.mismatches { _, _, _, _, _ in true } == [], "\(matrix.table())")
    }

    @Test func `tells blocked from refused`() throws {
        let lab = try TemporaryLab(.routed, listeners: Self.listeners)
        let rules = """
            table inet t { chain in { type filter hook input priority 0; \
            ip saddr \(try lab.address(0)) tcp dport 5432 drop; \
            ip6 saddr \(try lab.address(0, .v6)) tcp dport 5432 reject with tcp reset; \
            udp dport 53 ip saddr \(try lab.address(0)) reject; }; }
            """
        try lab.nft(rules, in: "n2")
        try lab.nft(
            "table inet t { chain out { type filter hook output priority 0; udp dport 53 drop; }; }",
            in: "n3")
        let matrix = try lab.lab.probe(lab.topology).matrix()
        func outcome(_ from: String, _ to: String, _ listener: Int, _ family: AddressFamily)
            -> ProbeMatrix.Outcome?
        {
            matrix.outcomes[
                .init(
                    source: from, destination: to, listener: Self.listeners[listener],
                    family: family)]
        }
        #expect(outcome("n1", "n2", 0, .v4) == .blocked)
        #expect(outcome("n1", "n2", 0, .v6) == .refused)
        #expect(outcome("n1", "n2", 1, .v4) == .refused)
        #expect(outcome("n1", "n3", 0, .v4) == .reached)
        #expect(outcome("n3", "n1", 1, .v6) == .blocked)
        let wrong = matrix.mismatches { _, _, _, _, _ in true }
        #expect(wrong.count == 3 + 4)
        #expect(matrix.table { _, _, _, _, _ in true }.contains("-!"))
    }

    @Test(arguments: LabTopology.Fabric.allCases)
    func `twenty namespaces are probed in three seconds, blocked ones too`(
        _ fabric: LabTopology.Fabric
    ) throws {
        let lab = try TemporaryLab(fabric, count: 20, listeners: Self.listeners)
        let drop =
            "table inet t { chain in { type filter hook input priority 0; meta nfproto ipv4 drop; }; }"
        for number in 1...10 { try lab.nft(drop, in: "n\(number)") }
        let start = ContinuousClock.now
        let matrix = try lab.lab.probe(lab.topology).matrix()
        let time = ContinuousClock.now - start
        print("probe of 20 \(fabric): \(time)")
        #expect(time < .seconds(3))
        let wrong = matrix.mismatches { source, destination, ipProtocol, _, family in
            let blocked = { (name: String) in (Int(name.dropFirst()) ?? 0) <= 10 }
            return family == .v6 || !(blocked(destination) || blocked(source))
        }
        #expect(wrong == [], "\(matrix.table())")
    }

    @Test(arguments: LabTopology.Fabric.allCases)
    func `a thousand namespaces stand in seconds`(_ fabric: LabTopology.Fabric) throws {
        let start = ContinuousClock.now
        let lab = try TemporaryLab(fabric, count: 1_000)
        let built = ContinuousClock.now
        print("1,000 \(fabric) up: \(built - start)")
        var links = 0
        for path in lab.lab.namespacePaths {
            var socket = try RouteSocket(in: NetworkNamespace(at: path))
            links += try socket.interfaces().count
        }
        let read = ContinuousClock.now
        print("1,000 \(fabric) read: \(read - built)")
        #expect(links == 2_000)
        try lab.lab.down()
        print("1,000 \(fabric) down: \(ContinuousClock.now - read)")
        #expect(built - start < .seconds(20))
        #expect(access("/run/ringfence-lab/\(lab.topology.name)", F_OK) == -1)
    }

    @Test func `is taken down half-built, and twice`() throws {
        let lab = Lab(named: "t\(UInt32.random(in: 0 ... .max))")
        try lab.down()
        #expect(try lab.folder.create())
        try lab.down()
        #expect(try lab.folder.create())
        try lab.folder.write(inventory: [lab.namespaceFolder + "/a", lab.namespaceFolder + "/b"])
        try NetworkNamespace.temporary().mount(at: lab.namespaceFolder + "/a")
        try Data().write(to: URL(fileURLWithPath: lab.namespaceFolder + "/b"))
        try lab.down()
        #expect(!Lab.all().contains(lab.name))
    }

    @Test func `two labs of a name can't be up, and a failed one leaves nothing`() throws {
        let lab = try TemporaryLab(.bridged)
        #expect(throws: LabError.isUp(lab.topology.name)) { try Lab.up(lab.topology) }
        let broken = LabTopology(
            name: "t\(UInt32.random(in: 0 ... .max))", fabric: .routed, subnets: [],
            namespaces: [LabNamespace(name: "a", addresses: [.v4(0x0a00_0001), .v4(0x0a00_0001)])])
        #expect(throws: LabError.self) { try Lab.up(broken) }
        #expect(!Lab.all().contains(broken.name))
    }

    @Test func `namespaces can be mounted where other programs look`() throws {
        let topology = LabTopology(
            name: "t\(UInt32.random(in: 0 ... .max))", fabric: .routed, subnets: [],
            namespaces: [LabNamespace(name: "a", addresses: [.v4(0x0a00_0001)])])
        let folder = "/run/ringfence-test-\(getpid())"
        let lab = try Lab.up(topology, namespaceFolder: folder)
        #expect(lab.namespacePaths == [folder + "/a"])
        try lab.down()
        #expect(rmdir(folder) == 0)
    }
}
