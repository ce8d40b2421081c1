import Agent
import Foundation
import Glibc
import Linux
import NetTypes
import Nftables
import Reports
import Rules
import Testing

extension KernelTests {
    /// What others do to the rulesets of an endpoint is recorded with who it was, and what was ours is
    /// repaired.
    @Suite struct DriftTests {
        /// Tables that somebody puts beside ours, and how they are told.
        private static let others: [(String, String)] = [
            (
                "add table ip evil; add chain ip evil first "
                    + "{ type filter hook input priority -300; }; add rule ip evil first accept",
                "table ip evil: added; chain first (type filter hook input priority -300); "
                    + "rules +1 in first that accepts"
            ),
            (
                "add table ip evil; add chain ip evil out { type nat hook postrouting priority 100; }; "
                    + "add rule ip evil out masquerade",
                "table ip evil: added; chain out (type nat hook postrouting priority 100); "
                    + "rules +1 in out that translates addresses"
            ),
            (
                "add table inet evil; add chain inet evil m { type filter hook output priority -150; }; "
                    + "add rule inet evil m ct mark set 7",
                "table inet evil: added; chain m (type filter hook output priority -150); "
                    + "rules +1 in m that sets marks"
            ),
            (
                "add table ip6 evil; add chain ip6 evil r { type filter hook prerouting priority -300; }; "
                    + "add rule ip6 evil r notrack",
                "table ip6 evil: added; chain r (type filter hook prerouting priority -300); "
                    + "rules +1 in r that takes packets out of connection tracking"
            ),
        ]

        @Test(arguments: others)
        func `another table is recorded with who made it, and its end`(
            _ script: String, _ change: String
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let (pid, made) = try await rig.drift(of: script, in: "b1", user: 65_534, agent)
                    #expect(made.change == change)
                    #expect(made.kind == .otherTable && !made.isRepaired)
                    #expect(made.process == "nft" && made.pid == pid && made.user == 65_534)
                    #expect(made.tenant == "b" && made.endpoint == "b1" && made.times == nil)
                    let words = script.split(separator: " ")
                    let (remover, gone) = try await rig.drift(
                        of: "delete table \(words[2]) evil", in: "b1", user: 0, agent)
                    #expect(gone.change == "table \(words[2]) evil: removed")
                    #expect(gone.kind == .otherTableGone && gone.user == 0 && gone.pid == remover)
                }
            }
        }

        @Test func `what judges nothing, and what the agent does itself, is no drift`() async throws
        {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let made = try await rig.nft(
                        "add table ip x; add chain ip x plain; add rule ip x plain accept", in: "b1"
                    )
                    try #require(made.status == 0, "\(made.output)")
                    for ports in ["7000", "7000-7100", many, "7001"] {
                        try await agent.change {
                            try rig.write(PolicyText.policy(PolicyText.udp(ports)), to: "a.yaml")
                        }
                    }
                    // One that is heard after all of them.
                    let (_, last) = try await rig.drift(
                        of: "add chain ip x hooked { type filter hook input priority 9; }",
                        in: "b1", user: 0, agent)
                    #expect(
                        last.change
                            == "table ip x: chain hooked (type filter hook input priority 9)")
                    let all = try await agent.agent.drift(DriftQuestion()).drift
                    #expect(all.count == 1, "\(all)")
                }
            }
        }

        /// More elements than are sent while somebody listens.
        private var many: String { (0..<1500).map { "\(10_000 + 2 * $0)" }.joined(separator: ", ") }

        @Test func `what came and went while no agent ran is told once`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { try await rig.listened($0, to: "b1") }
                let table = "table ip evil { chain c { type filter hook input priority 5; }; }"
                _ = try await rig.nft(table, in: "b1")
                for _ in 1...2 {
                    try await rig.withAgent { agent in
                        try await wait(for: "the table") {
                            try await agent.agent.drift(DriftQuestion()).drift.map(\.change)
                                == ["table ip evil: found on hooks with c"]
                        }
                        try await rig.listened(agent, to: "b1")
                    }
                }
                _ = try await rig.nft("delete table ip evil", in: "b1")
                try await rig.withAgent { agent in
                    try await wait(for: "its end") {
                        try await agent.agent.drift(DriftQuestion()).drift.map(\.change)
                            == [
                                "table ip evil: found on hooks with c", "table ip evil: found gone",
                            ]
                    }
                }
            }
        }

        private static let changes = [
            "flush map inet ringfence rules", "insert rule inet ringfence input accept",
            "add element inet ringfence own4 { 192.0.2.1 }", "delete table inet ringfence",
            // For every mark, and for every key that has no element of its own.
            "add element inet ringfence rules { * : accept }",
            "add element inet ringfence admit_in { * : 0x80000001 }",
            // With no word of whose rule it is, and with all that a counter can hold.
            "add element inet ringfence rules { 0x80000001 counter packets "
                + "\(UInt64.max) bytes 1 : accept }",
        ]

        @Test(arguments: Self.changes)
        func
            `what was done while no agent ran is repaired in one transaction where a table is left`(
                _ command: String
            ) async throws
        {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                var before = ""
                try await rig.withAgent { _ in before = try await rig.ruleset(of: "b1") }
                _ = try await rig.nft(command, in: "b1")
                let generation = try rig.rulesGeneration(of: "b1")
                let stream = try NumberedStream(from: "a1", to: "b1", .v4, port: 7050, in: rig)
                try await rig.withAgent { agent in
                    let after = try rig.rulesGeneration(of: "b1")
                    // One to own the table, so that nobody changes it while it is read. A table that is gone takes three,
                    // of which the second closes the namespace.
                    #expect(after == generation + (command.hasPrefix("delete") ? 3 : 2))
                    let listed = try await rig.ruleset(of: "b1")
                    #expect(listed.withoutOwner == before.withoutOwner)
                    let drift = try await agent.agent.drift(DriftQuestion()).drift
                    #expect(drift.map(\.kind) == [.ownTable] && drift.allSatisfy(\.isRepaired))
                    // Nobody knows any more who it was, and when.
                    #expect(drift.first?.pid == nil && drift.first?.repairMilliseconds == nil)
                }
                #expect(try await stream.finish().arrivals.isEmpty)
            }
        }

        /// Names are told shortened, and marks in them replaced.
        @Test func `tables whose names look alike are told as one`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                let long = String(repeating: "a", count: 64)
                for name in [long + "b", long + "c"] {
                    let chain = "{ type filter hook input priority 9; }"
                    _ = try await rig.nft("add table inet \(name)", in: "b1")
                    _ = try await rig.nft("add chain inet \(name) c \(chain)", in: "b1")
                }
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let drift = try await agent.agent.drift(DriftQuestion()).drift
                    #expect(drift.contains { $0.kind == .otherTable })
                }
            }
        }

        @Test(arguments: ["flush map inet ringfence rules", "delete table inet ringfence"])
        func `a table whose owner was closed behind the agent's back is repaired at once`(
            _ command: String
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let before = try await rig.ruleset(of: "b1")
                    try rig.replaceOwner(of: "b1")
                    let generation = try rig.rulesGeneration(of: "b1")
                    let (pid, drift) = try await rig.drift(of: command, in: "b1", user: 0, agent)
                    #expect(drift.kind == .ownTable && drift.isRepaired)
                    #expect(drift.process == "nft" && drift.pid == pid && drift.user == 0)
                    let time = try #require(drift.repairMilliseconds)
                    print("drift: repaired in \(time) ms: \(drift.change)")
                    #expect(time > 0 && time < 1000)
                    let after = try rig.rulesGeneration(of: "b1")
                    // The change, and the table made again; or one to own what is there, and the repair.
                    #expect(after == generation + (command.hasPrefix("delete") ? 4 : 3))
                    let listed = try await rig.ruleset(of: "b1")
                    #expect(listed.withoutOwner == before.withoutOwner)
                }
            }
        }

        @Test(arguments: [HostFilterAttachment.tcx, .clsact])
        func `programs that were taken away are put back`(
            _ attachment: HostFilterAttachment
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent({
                    $0.hostFilter = .on
                    $0.hostFilterAttachment = attachment
                    $0.bpfFileSystem = rig.bpf
                }) { agent in
                    if attachment == .tcx {
                        try rig.removeLinks()
                    } else {
                        try await rig.run(
                            "tc", "qdisc", "del", "dev", "rf-b1", "clsact", in: "host")
                    }
                    let changes = try await rig.changes(of: .hostFilter, agent)
                    let ends = attachment == .tcx ? ["rf-a1", "rf-b1"] : ["rf-b1"]
                    let wanted = ends.map { "from_endpoint and to_endpoint did not stand at \($0)" }
                    #expect(changes.sorted() == wanted)
                    #expect(
                        try await agent.agent.drift(DriftQuestion()).drift.allSatisfy(\.isRepaired))

                    try await rig.run(
                        "tc", "qdisc", "replace", "dev", "rf-b1", "clsact", in: "host")
                    try await rig.run(
                        "tc", "filter", "add", "dev", "rf-b1", "ingress", "pref", "7", "protocol",
                        "ip", "u32", "match", "u32", "0", "0", "flowid", "1:1", in: "host")
                    let came = try await rig.changes(of: .otherProgram, agent)
                    #expect(came == ["another program beside the host filter: u32 on rf-b1"])
                    try await rig.run(
                        "tc", "filter", "del", "dev", "rf-b1", "ingress", "pref", "7", in: "host")
                    let gone = try await rig.changes(of: .otherProgramGone, agent)
                    #expect(gone == ["another program is gone: u32 on rf-b1"])
                }
            }
        }

        @Test func `a tenant that changes its tables without a pause fills nothing`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let tables = (0..<200).map {
                        "add table ip t\($0); add chain ip t\($0) c "
                            + "{ type filter hook input priority 5; }\n"
                    }
                    let rules = (0..<1800).map { _ in "add rule ip t7 c counter\n" }
                    let file = rig.folder + "/flood"
                    try (tables + rules).joined().write(
                        toFile: file, atomically: true, encoding: .utf8)
                    let begun = ContinuousClock.now
                    async let flood = rig.run("sh", "-c", "nft -i < \(file)", in: "b1")
                    var slowest = Duration.zero
                    while try await rig.times(of: .otherTable, agent) < 2000 {
                        let start = ContinuousClock.now
                        _ = await agent.status()
                        slowest = max(slowest, .now - start)
                        try #require(.now - begun < .seconds(60))
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    _ = try await flood
                    let all = try await agent.agent.drift(DriftQuestion()).drift
                    print(
                        "drift: 2000 changes, \(all.count) records, an answer took \(slowest) at most"
                    )
                    #expect(all.allSatisfy { $0.kind == .otherTable && $0.endpoint == "b1" })
                    #expect(all.reduce(0) { $0 + ($1.times ?? 1) } == 2000)
                    #expect(all.count <= 70)
                    #expect(slowest < .milliseconds(500))
                }
            }
        }
    }
}

extension Rig {
    /// Waits until the agent hears what is done in a namespace.
    func listened(_ agent: RunningAgent, to name: String) async throws {
        let id = try namespace(name).id
        try await wait(for: "the agent to listen") { await agent.agent.isListening(in: id) }
    }

    /// Runs `nft` as some user, and waits for what is recorded of it before it is waited for itself: until
    /// then it can be looked at, as something that runs on can.
    fileprivate func drift(
        of script: String, in name: String, user: UInt32, _ agent: RunningAgent
    ) async throws -> (pid: Int32, record: DriftRecord) {
        let output = folder + "/nft-output"
        let pid = try Command.spawn(
            [
                "nsenter", "--net=" + path(name), "setpriv", "--reuid=\(user)",
                "--inh-caps=+net_admin", "--ambient-caps=+net_admin", "nft", script,
            ], output: output)
        defer { waitpid(pid, nil, 0) }
        var found: DriftRecord?
        do {
            try await wait(for: "what \(script) did") {
                found = try await agent.agent.drift(DriftQuestion()).drift.last { $0.pid == pid }
                return found != nil
            }
        } catch {
            let all = try await agent.agent.drift(DriftQuestion()).drift
            let said = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            Issue.record("nft \(pid): \(said); \(all)")
            throw error
        }
        return (pid, try #require(found))
    }

    /// What was recorded of a kind, once there is something.
    fileprivate func changes(
        of kind: DriftRecord.Kind, _ agent: RunningAgent
    ) async throws -> [String] {
        var found: [String] = []
        try await wait(for: "\(kind)") {
            found = try await agent.agent.drift(DriftQuestion()).drift
                .filter { $0.kind == kind }.map(\.change)
            return !found.isEmpty
        }
        return found
    }

    fileprivate func times(of kind: DriftRecord.Kind, _ agent: RunningAgent) async throws -> UInt64
    {
        try await agent.agent.drift(DriftQuestion()).drift
            .filter { $0.kind == kind }.reduce(0) { $0 + ($1.times ?? 1) }
    }

    /// Takes the names of all links away, and so the programs.
    fileprivate func removeLinks() throws {
        let folder = bpf + "/ringfence/\(try namespace("host").id.inode)/links"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        try #require(names.count == 4)
        for name in names { try check("unlink", on: name) { unlink(folder + "/" + name) } }
    }

    /// Puts another socket in the place of the one that owns the table: the kernel takes the owner for gone.
    func replaceOwner(of name: String) throws {
        let namespace = try namespace(name)
        let owner = try #require(try reading(of: name)?.owner)
        let other = try namespace.run { () throws(SystemError) in try NetfilterSocket() }
        var replaced = 0
        for number in 3..<CInt(4096) where isSocket(number, at: owner, in: namespace.id) {
            // Programs that other tests start must not inherit it.
            try check("dup2") { dup2(other.rawValue, number) }
            try check("fcntl") { fcntl(number, F_SETFD, FD_CLOEXEC) }
            replaced += 1
        }
        try #require(replaced == 1)
    }

    /// Whether a descriptor of this process is the netfilter socket with a port of the namespace.
    private func isSocket(_ number: CInt, at port: UInt32, in namespace: NamespaceID) -> Bool {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return false }
        do throws(SystemError) {
            let socket = try NetfilterSocket(adopting: Descriptor(owning: copy), of: namespace)
            return socket.port == port
        } catch {
            return false
        }
    }
}

extension String {
    /// A listing without the number of the owner's socket.
    fileprivate var withoutOwner: String {
        split(separator: "\n").filter { !$0.contains("progname") }.joined(separator: "\n")
    }
}
