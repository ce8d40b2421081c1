import Foundation
import Lab
import NetTypes

/// Tenants of one endpoint each; each is called by ten others, with ten rules from each.
struct Workload {
    let size: Int
    let rulesPerEndpoint: Int
    let folder: String

    /// Which file the changed rule stands in.
    enum File {
        case single
        case hundred
    }

    /// The flow whose rule comes and goes.
    static let probePort: UInt16 = 9999
    let caller = 1
    var called: Int { size / 2 }

    /// In memory: a disk that takes its time for the save is not what is measured.
    var policies: String { "/dev/shm/ringfence-bench-\(getpid())" }
    var state: String { folder + "/state" }
    var ruleCount: Int { size * rulesPerEndpoint }

    init(endpoints: Int, rulesPerEndpoint: Int) throws {
        size = endpoints
        self.rulesPerEndpoint = rulesPerEndpoint
        folder = NSTemporaryDirectory() + "ringfence-bench-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: policies, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let tenants = (0..<size).map { index in
            """
            apiVersion: ringfence/v1
            kind: Tenant
            name: t\(index)
            endpoints: [{namespace: e\(index)}]
            internal: deny
            """
        }
        try write(tenants.joined(separator: "\n---\n"), to: "tenants.yaml")
        for index in 0..<size { try write(file(of: index, isOpen: false), to: name(of: index)) }
    }

    /// Builds the namespaces.
    func up() throws -> Lab {
        let namespaces = (0..<size).map { index in
            LabNamespace(
                name: "e\(index)",
                addresses: [
                    .v4(0x0a3c_0100 + UInt32(index)), .v6(0xfd3c << 112 | UInt128(index + 16)),
                ])
        }
        let topology = LabTopology(
            name: "bench-\(getpid())", fabric: .bridged,
            subnets: [
                Prefix(containing: .v4(0x0a3c_0000), length: 16),
                Prefix(containing: .v6(0xfd3c << 112), length: 64),
            ], namespaces: namespaces)
        return try Lab.up(topology)
    }

    func remove() throws {
        try Lab(named: "bench-\(getpid())").down()
        try FileManager.default.removeItem(atPath: policies)
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Lets the first endpoint call the second.
    func allowTraffic(port: UInt16) throws {
        let text = policy("traffic", from: 0, to: 1, [Int(port)], "tcp")
        try write(text, to: "traffic.yaml")
    }

    /// Who calls the tenant.
    func callers(of index: Int) -> [Int] {
        (0..<10).map { (index + 1 + $0 * 37) % size }
    }

    func ports(_ caller: Int) -> [Int] {
        (0..<rulesPerEndpoint / 10).map { 1000 + caller * 100 + $0 * 7 }
    }

    func address(_ index: Int) -> String { IPAddress.v4(0x0a3c_0100 + UInt32(index)).description }

    /// Saves the file with or without the rule that lets the probe through, the way editors do.
    func save(_ file: File, isOpen: Bool) throws {
        switch file {
        case .single:
            let text = policy("probe", from: caller, to: called, [port(isOpen)], "udp")
            try write(text, to: "probe.yaml")
        case .hundred:
            try write(self.file(of: called, isOpen: isOpen), to: name(of: called))
        }
    }

    private func name(_ index: Int) -> String { "called-\(index).yaml" }

    private func name(of index: Int) -> String { name(index) }

    private func port(_ isOpen: Bool) -> Int { Int(Self.probePort) - (isOpen ? 0 : 1) }

    private func file(of index: Int, isOpen: Bool) -> String {
        var policies = callers(of: index).enumerated().map { number, caller in
            policy("t\(caller)-to-t\(index)", from: caller, to: index, ports(number), "tcp")
        }
        if index == called {
            policies.append(
                policy("in-hundred", from: caller, to: called, [isOpen ? port(true) : 9997], "udp"))
        }
        return policies.joined(separator: "\n---\n")
    }

    private func policy(
        _ name: String, from: Int, to: Int, _ ports: [Int], _ ipProtocol: String
    ) -> String {
        let allow = ports.map { "  - {protocol: \(ipProtocol), ports: [\($0)]}" }
        return """
            apiVersion: ringfence/v1
            kind: Policy
            name: \(name)
            owner: bench
            from: [{tenant: t\(from)}]
            to: [{tenant: t\(to)}]
            allow:
            \(allow.joined(separator: "\n"))
            """
    }

    private func write(_ text: String, to name: String) throws {
        let path = policies + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + ".tmp"))
        guard rename(path + ".tmp", path) == 0 else { throw POSIXError(.EIO) }
    }
}
