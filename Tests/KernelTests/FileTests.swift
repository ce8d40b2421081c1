import Agent
import Foundation
import Glibc
import Linux
import NetTypes
import Policy
import Rules
import Reports
import Testing

extension KernelTests {
    /// However a file is saved, what it says is in force, whole.
    @Suite struct FileTests {
        enum Style: CaseIterable {
            case inPlace
            case renameOver
            case vim
            case deleteAndCreate
            case shell
        }

        private static let first = PolicyText.policy(PolicyText.udp("7000"), name: "first")
        private static let second = PolicyText.policy(PolicyText.udp("8000"), name: "second")

        /// The policies whose rules the kernel holds at `b1`.
        private func names(_ rig: Rig) throws -> Set<String> {
            let state = try #require(try rig.reading(of: "b1")).state
            return Set(state.rules.entries.map(\.rule.policy).filter { !$0.hasPrefix("tenant/") })
        }

        @Test(arguments: Style.allCases)
        func `is followed`(_ style: Style) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.first, to: "a.yaml")
                try await rig.withAgent { agent in
                    let change = try await agent.change { try await save(style, rig) }
                    try await wait(for: "the new rule") {
                        try names(rig).contains("second") && !names(rig).contains("first")
                    }
                    let time = (change.inForce - change.begun) / 1000
                    print("file: \(style): in force \(time) us after it was begun")
                    #expect(await agent.status().policies.errors.isEmpty)
                    #expect(await agent.generation() == 2)
                }
            }
        }

        /// A look at the whole directory must not take what is just being written for known.
        @Test func `is followed when everything is looked at meanwhile`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.first, to: "a.yaml")
                try await rig.withAgent { agent in
                    for number in 0..<10 {
                        let name = "number-\(number)"
                        let file = try FileHandle(
                            forWritingTo: URL(fileURLWithPath: rig.file("a.yaml")))
                        let text = PolicyText.policy(PolicyText.udp("\(9000 + number)"), name: name)
                        try file.truncate(atOffset: 0)
                        try file.write(contentsOf: Data(text.utf8))
                        // The agent has heard of it, and waits for the end.
                        try await Task.sleep(for: .milliseconds(4))
                        await agent.agent.rescan()
                        try file.close()
                        try await wait(for: name) { try names(rig).contains(name) }
                    }
                }
            }
        }

        private func save(_ style: Style, _ rig: Rig) async throws {
            let path = rig.file("a.yaml")
            switch style {
            case .inPlace: try rig.write(Self.second, to: "a.yaml")
            case .renameOver:
                try rig.write(Self.second, to: ".a.yaml.swp")
                try rig.move(".a.yaml.swp", to: "a.yaml")
            case .vim:
                let edit = try await Command([
                    "vim", "-Nes", "-u", "NONE", "-c", "%s/7000/8000/", "-c",
                    "%s/first/second/", "-c", "wq", path,
                ])
                try #require(edit.status == 0, "\(edit.output)")
            case .deleteAndCreate:
                try rig.remove("a.yaml")
                try rig.write(Self.second, to: "a.yaml")
            case .shell:
                let text = Self.second
                try await onThread {
                    // In pieces, as a slow writer does, with the file open all the while.
                    let file = Descriptor(
                        owning: try check("open") { open(path, O_WRONLY | O_TRUNC | O_CLOEXEC) })
                    for piece in text.split(separator: "\n", omittingEmptySubsequences: false) {
                        let bytes = Array((piece + "\n").utf8)
                        try check("write") { write(file.rawValue, bytes, bytes.count) }
                        usleep(1_000)
                    }
                }
            }
        }

        @Test func `a directory that is gone revokes nothing`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.first, to: "a.yaml")
                try await rig.withAgent { agent in
                    let before = try rig.rulesGeneration(of: "b1")
                    try FileManager.default.removeItem(atPath: rig.policies)
                    try await wait(for: "the report") {
                        await !agent.status().policies.errors.isEmpty
                    }
                    try await letTrafficFlow()
                    let held = try names(rig)
                    #expect(held == ["first"])
                    #expect(try rig.rulesGeneration(of: "b1") == before)
                    try await agent.change {
                        try FileManager.default.createDirectory(
                            atPath: rig.policies, withIntermediateDirectories: true)
                        try rig.writeTenants()
                        try rig.write(Self.second, to: "a.yaml")
                    }
                    try await wait(for: "the new rule") { try names(rig) == ["second"] }
                    #expect(await agent.status().policies.errors.isEmpty)
                }
            }
        }

        @Test func `a file that is deleted revokes its rules and no others`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.first, to: "a.yaml")
                try rig.write(Self.second, to: "b.yaml")
                try await rig.withAgent { agent in
                    let change = try await agent.change { try rig.remove("a.yaml") }
                    let held = try names(rig)
                    #expect(held == ["second"])
                    print(
                        "file: deleted: in force after \((change.inForce - change.begun) / 1000) us"
                    )
                }
            }
        }
    }
}
