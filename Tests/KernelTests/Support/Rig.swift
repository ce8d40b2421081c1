import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Nftables
import Policy
import Rules
import Testing

/// Namespaces, a policy directory and a state directory for one test.
final class Rig: Sendable {
    let lab: Lab
    let topology: LabTopology
    /// Holds the policy directory, the state directory and whatever else the test needs.
    let folder: String

    var policies: String { folder + "/policies" }
    var state: String { folder + "/state" }
    /// Where an agent mounts the BPF file system; whatever is pinned goes with it.
    var bpf: String { folder + "/bpf" }

    private init(
        _ namespaces: [LabNamespace], _ subnets: [Prefix], fabric: LabTopology.Fabric
    ) throws {
        let id = "k\(UInt32.random(in: 0 ... .max))"
        folder = NSTemporaryDirectory() + "ringfence-\(id)"
        try FileManager.default.createDirectory(
            atPath: folder + "/policies", withIntermediateDirectories: true)
        topology = LabTopology(
            name: id, fabric: fabric, subnets: subnets, namespaces: namespaces)
        lab = try Lab.up(topology)
    }

    /// Builds a rig, does the work, and takes everything down whatever happens.
    static func with(
        _ names: [String] = ["a1", "b1"], fabric: LabTopology.Fabric = .bridged,
        _ work: (Rig) async throws -> Void
    ) async throws {
        let namespaces = names.enumerated().map { index, name in
            LabNamespace(
                name: name, addresses: AddressFamily.allCases.map { address(index + 2, $0) })
        }
        let subnets = [
            Prefix(containing: address(0, .v4), length: 16),
            Prefix(containing: address(0, .v6), length: 64),
        ]
        try await with(namespaces, in: subnets, fabric: fabric, work)
    }

    /// The same for namespaces with addresses of the test's choosing; the host has the first of each subnet.
    static func with(
        _ namespaces: [LabNamespace], in subnets: [Prefix], fabric: LabTopology.Fabric = .bridged,
        _ work: (Rig) async throws -> Void
    ) async throws {
        let rig = try Rig(namespaces, subnets, fabric: fabric)
        do {
            try await work(rig)
        } catch {
            try rig.remove()
            throw error
        }
        try rig.remove()
    }

    private func remove() throws {
        try lab.down()
        umount2(bpf, CInt(MNT_DETACH))
        try FileManager.default.removeItem(atPath: folder)
    }

    /// The host has number 1, the namespaces follow in their order.
    static func address(_ number: Int, _ family: AddressFamily) -> IPAddress {
        switch family {
        case .v4: .v4(0x0a4d_0000 + UInt32(number))
        case .v6: .v6(UInt128(0xfd77) << 112 + UInt128(number))
        }
    }

    /// What the host has on its link to the namespaces.
    var hostAddresses: [IPAddress] {
        topology.subnets.map {
            switch $0.address {
            case .v4(let number): .v4(number + 1)
            case .v6(let number): .v6(number + 1)
            }
        }
    }

    static func host(_ family: AddressFamily) -> IPAddress { address(1, family) }

    func address(_ name: String, _ family: AddressFamily) throws -> IPAddress {
        let index = try #require(topology.namespaces.firstIndex { $0.name == name })
        return Self.address(index + 2, family)
    }

    /// The mount of a namespace, or of the fabric by the name `host`.
    func path(_ name: String) throws -> String {
        name == "host" ? lab.fabricPath : try lab.path(of: name)
    }

    func namespace(_ name: String) throws -> NetworkNamespace {
        try NetworkNamespace(at: try path(name))
    }
}

/// The policy directory.
extension Rig {
    func file(_ name: String) -> String { policies + "/" + name }

    /// Writes in place, as an editor does that keeps the inode.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func remove(_ name: String) throws {
        try check("unlink", on: name) { unlink(file(name)) }
    }

    func move(_ old: String, to new: String) throws {
        try check("rename", on: old) { rename(file(old), file(new)) }
    }

    /// Two tenants, `a` and `b`.
    func writeTenants() throws {
        try write(
            PolicyText.documents(PolicyText.tenant("a"), PolicyText.tenant("b")),
            to: "tenants.yaml")
    }
}

/// What a namespace holds, seen from outside of the agent.
extension Rig {
    /// Runs `nft` in a namespace.
    func nft(_ words: String..., in name: String) async throws -> Command {
        try await Command(["nsenter", "--net=" + path(name), "nft"] + words)
    }

    /// Runs any command in a namespace.
    @discardableResult
    func run(_ words: String..., in name: String) async throws -> Command {
        let command = try await Command(["nsenter", "--net=" + path(name)] + words)
        // What a shell, and nsenter too, answers for a command that isn't there (POSIX, 2.8.2):
        // a test that expects a failure must not take it for one.
        try #require(command.status >> 8 != 127, "\(words.first ?? ""): \(command.output)")
        return command
    }

    /// The ruleset without anything that traffic changes.
    func ruleset(of name: String) async throws -> String {
        let listing = try await nft("-s", "list", "table", "inet", "ringfence", in: name)
        try #require(listing.status == 0, "\(listing.output)")
        return listing.output
    }

    /// Our table as the library reads it; nil when there is none.
    func reading(of name: String) throws -> TableReading? {
        let socket = try namespace(name).run { () throws(SystemError) in try NetfilterSocket() }
        return try EndpointTable(socket).read()
    }
}
