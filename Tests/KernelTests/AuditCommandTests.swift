import Agent
import Audit
import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Policy
import Reports
import Testing
import Verifier

extension KernelTests {
    /// `ringfence audit` on a real host with a host filter.
    @Suite struct AuditCommandTests {
        @Test func `the exit code says what was found of the host filter`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                try await rig.leave(.only)
                try await rig.expectAudit("only", 0)
                try await rig.expectAudit("off", 1)
                try await rig.expectAudit("on", 1)
                try await rig.leave(.on)
                for use in ["only", "on", "off", "auto"] { try await rig.expectAudit(use, 0) }
                // A filter of somebody else that what a1 gets goes through.
                let host = try rig.path("host")
                try await rig.run("nsenter --net=\(host) tc qdisc add dev rf-a1 clsact")
                try await rig.run(
                    "nsenter --net=\(host) tc filter add dev rf-a1 egress protocol all u32 "
                        + "match u32 0 0 flowid 1:1")
                try await rig.expectAudit("only", 2, "u32")
                try await rig.expectAudit("off", 0)
                try await rig.run("nsenter --net=\(host) tc qdisc del dev rf-a1 clsact")
                try await rig.expectAudit("on", 0)
                // A program that is not there any more.
                let links = rig.bpf + "/ringfence/\(try rig.namespace("host").id.inode)/links/"
                let link = try #require(
                    FileManager.default.contentsOfDirectory(atPath: links).first)
                try check("unlink", on: link) { unlink(links + link) }
                // The kernel lets go of a link a moment after its last name is gone.
                try await letTrafficFlow(.milliseconds(300))
                try await rig.expectAudit("only", 1, "no program stands there")
                try await rig.expectAudit("on", 1)
                try await rig.expectAudit("off", 0)
                try rig.write("nonsense", to: "b.yaml")
                try await rig.expectAudit("only", 3)
            }
        }

        @Test func `without a host filter it is missed only where it is asked for`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent({ _ in }) { _ in }
                for use in ["off", "auto"] { try await rig.expectAudit(use, 0) }
                for use in ["on", "only"] { try await rig.expectAudit(use, 1) }
                try await rig.expectAudit("maybe", 64)
            }
        }

        /// Links of other namespaces may have the indices of the host's.
        @Test func `a veth that ends in a third namespace is nobody's to guard`() async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.tenant("c"), to: "c.yaml")
                let (host, inside) = (try rig.path("host"), try rig.path("c1"))
                let third = try NetworkNamespace.temporary()
                let path = "/proc/\(getpid())/fd/\(third.descriptor.rawValue)"
                let end = try rig.link("rf-a1", in: "host")
                try await rig.run("nsenter --net=\(host) ip link del rf-c1")
                let peer = try #require(end.peerIndex)
                try await rig.run(
                    "nsenter --net=\(path) ip link add there index \(end.index) type veth peer "
                        + "name decoy index \(peer) netns \(inside)")
                let decoy = try rig.link("decoy", in: "c1")
                #expect(decoy.peerIndex == end.index && decoy.index == end.peerIndex)
                // An agent for which only the host filter stands would wait for c1 for ever.
                try await rig.leave(.on)
                try await rig.expectAudit(
                    "only", 2, "c/c1 has no veth with its other end in the host namespace")
            }
        }

        /// It is found out between the survey and the reading.
        @Test func `a veth that goes away is its endpoint's affair, if there is one`() async throws
        {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.leave(.only)
                let survey = try StaleSurvey(rig)
                #expect(survey.audit()?.outcome == .proven)
                try await rig.run("nsenter --net=\(rig.path("host")) ip link del rf-b1")
                let lost = survey.audit()
                #expect(lost?.findings.isEmpty == true)
                #expect(
                    lost?.unproven.map(\.reason) == ["b/b1: rf-b1 went away while it was read"])
                try await rig.run("umount \(rig.path("b1"))")
                #expect(survey.audit()?.outcome == .proven)
            }
        }
    }
}

/// What was found on a host that goes on changing.
private struct StaleSurvey {
    private let policies: PolicySet
    private let survey: HostSurvey
    private let bpf: String

    init(_ rig: Rig) throws {
        bpf = rig.bpf
        policies = try PolicySet(
            checking: [
                PolicyFile(parsing: PolicyText.tenant("a"), path: "a.yaml"),
                PolicyFile(parsing: PolicyText.tenant("b"), path: "b.yaml"),
            ])
        survey = try HostSurvey(
            folders: [rig.lab.namespaceFolder], pids: [], policies: policies,
            hostNamespace: rig.lab.fabricPath)
    }

    func audit() -> HostFilterAudit? {
        HostAudit(of: policies, on: survey, hostFilter: .only, bpfFileSystem: bpf).run().hostFilter
    }
}

extension Rig {
    /// Lets an agent put its host filter up, and end.
    fileprivate func leave(_ mode: HostFilterMode) async throws {
        try await withAgent(
            {
                $0.hostFilter = mode
                $0.bpfFileSystem = bpf
            }
        ) { agent in #expect(await agent.status().agent.hostFilterProblem == nil) }
    }

    fileprivate func expectAudit(
        _ use: String, _ status: Int32, _ words: String = ""
    ) async throws {
        let audit = try await Command([
            try AgentProcess.executable(), "audit", "--policies", policies, "--namespaces",
            lab.namespaceFolder, "--host-namespace", lab.fabricPath, "--bpf-file-system", bpf,
            "--state", state, "--socket", folder + "/socket", "--host-filter", use,
        ])
        #expect(audit.status >> 8 == status, "\(use): \(audit.output)")
        if !words.isEmpty { #expect(audit.output.contains(words), "\(use): \(audit.output)") }
    }

    fileprivate func run(_ command: String) async throws {
        let done = try await Command(command.split(separator: " ").map(String.init))
        try #require(done.status == 0, "\(command): \(done.output)")
    }

    fileprivate func link(_ name: String, in namespace: String) throws -> Link {
        var socket = try RouteSocket(in: self.namespace(namespace))
        return try #require(try socket.links().first { $0.name == name })
    }
}
