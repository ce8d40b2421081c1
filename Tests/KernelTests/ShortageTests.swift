import Agent
import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Reports
import Rules
import Testing

extension KernelTests {
    /// What an agent does that runs out of something, or has much to do.
    @Suite struct ShortageTests {
        private struct Status: Decodable {
            struct Endpoint: Decodable {
                let name: String
                let state: String
                let lastError: String?
            }
            let endpoints: [Endpoint]
        }

        /// What the program answers about an agent; nil where it doesn't answer.
        private func status(_ rig: Rig) async throws -> Status? {
            let asked = try await Command([
                try AgentProcess.executable(), "status", "--output", "json", "--socket",
                rig.folder + "/socket",
            ])
            guard asked.status == 0 else { return nil }
            return try JSONDecoder().decode(Status.self, from: Data(asked.output.utf8))
        }

        private func isReady(_ rig: Rig) async throws -> Bool {
            let asked = try await Command([
                "python3", "-c",
                """
                import socket
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(5)
                s.connect("\(rig.folder)/socket")
                s.sendall(b"GET /readyz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
                print(s.recv(64).decode())
                """,
            ])
            return asked.output.contains(" 200 ")
        }

        /// With too few descriptors the newcomers are refused by name, and the agent is not ready, answers, and never
        /// ends.
        @Test(arguments: [64, 100, 111, 112, 113, 114, 115], ["off", "on"])
        func `an agent without descriptors answers and is not ready`(
            _ limit: Int, _ mode: String
        ) async throws {
            let names = (1...12).map { "a\($0)" }
            try await Rig.with(names) { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                let agent = try AgentProcess(
                    rig, ["--host-filter", mode], under: ["prlimit", "--nofile=\(limit):\(limit)"])
                var last: Status?
                try await wait(for: "an answer", within: .seconds(30)) {
                    last = try await status(rig)
                    return last?.endpoints.count == names.count
                }
                for _ in 0..<5 { _ = try await status(rig) }
                let endpoints = try #require(last).endpoints
                let open = try names.filter { try rig.reading(of: $0) == nil }
                let refused = endpoints.filter { $0.state != "enforced" }
                #expect(!refused.isEmpty, "the limit is no limit")
                #expect(Set(open).isSubset(of: refused.map(\.name)), "\(limit)")
                #expect(refused.allSatisfy { $0.lastError != nil })
                #expect(try await !isReady(rig))
                #expect(agent.isRunning)
                try agent.kill()
            }
        }

        /// A policy whose compilation takes a while: each network is a class of its own for each endpoint.
        private static func large(_ count: Int) -> String {
            let networks = (0..<count).map { index in
                let number = UInt32(1 << 24) + UInt32(index) * 512
                return "      - \(IPAddress.v4(number))/24"
            }
            return """
                apiVersion: ringfence/v1
                kind: Policy
                name: large
                from: [{tenant: b}]
                to:
                  - cidr: 0.0.0.0/0
                    except:
                \(networks.joined(separator: "\n"))
                allow: [{protocol: tcp, ports: [443]}]

                """
        }

        /// Nothing of a newcomer passes while everything is compiled because of it.
        @Test func `a newcomer is closed while policies are compiled`() async throws {
            try await Rig.with(["a1", "a2", "b1", "wild"]) { rig in
                try rig.writeTenants()
                try rig.write(Self.large(3_000), to: "large.yaml")
                // No policy admits it, and its destination is no endpoint: only its own table can stop it.
                let stream = try NumberedStream(
                    from: "a2", to: "wild", .v4, port: 7000, .one, in: rig)
                try rig.hide("a2")
                try await rig.withAgent { agent in
                    try await letTrafficFlow()
                    let begun = monotonicTime()
                    try rig.show("a2")
                    try await wait(for: "the closed table", within: .seconds(5)) {
                        try rig.reading(of: "a2") != nil
                    }
                    let closed = monotonicTime()
                    try await agent.settle(.seconds(60))
                    let record = try await stream.finish()
                    print("newcomer: closed after \((closed - begun) / 1000) us")
                    #expect(record.arrived(closed...) == [])
                }
            }
        }
    }
}

extension Rig {
    /// Takes the name of a namespace away, which lives on by its other mount.
    func hide(_ name: String) throws {
        let place = try path(name)
        try Data().write(to: URL(fileURLWithPath: folder + "/" + name))
        try check("mount", on: place) {
            mount(place, folder + "/" + name, "", UInt(MS_BIND), nil)
        }
        try check("umount", on: place) { umount2(place, CInt(MNT_DETACH)) }
    }

    /// Gives it back.
    func show(_ name: String) throws {
        let place = lab.namespaceFolder + "/" + name
        try check("mount", on: place) {
            mount(folder + "/" + name, place, "", UInt(MS_BIND), nil)
        }
        try check("umount", on: name) { umount2(folder + "/" + name, CInt(MNT_DETACH)) }
    }
}
