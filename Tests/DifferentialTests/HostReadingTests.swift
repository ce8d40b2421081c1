import CBPF
import Foundation
import HostRules
import NetTypes
import Synchronization
import TestSupport
import Testing
@testable import HostFilter
@testable import Verifier

/// The host filter is read as it is at one moment, whatever an agent does meanwhile.
@Suite(.serialized) struct HostReadingTests {
    private func ground(_ attachment: HostFilter.Attachment = .auto) throws -> HostGround {
        var random = SeededGenerator(seed: 7)
        while true {
            let set = try RandomPolicies(seed: random.next()).policySet()
            if let ground = try HostGround(set, SmallWorld(), attachment) { return ground }
        }
    }

    private static let larger: Capacity = {
        var need = HostGround.need
        need.admissions *= 8
        return need
    }()

    /// Where an agent may take over.
    enum Step: CaseIterable {
        case beforeHooks, beforePrograms, beforeMaps, afterMaps
    }

    @Test(arguments: Step.allCases, [HostGround.need, larger])
    func `what an agent takes over meanwhile is read again`(
        _ step: Step, _ need: Capacity
    ) throws {
        let ground = try ground()
        var reading = try ground.reading()
        let before = ground.folder
        func takeOver(_ now: Step) throws {
            if now == step { try ground.restart(need: need) }
        }
        // What is missing then is read again as well.
        do {
            try takeOver(.beforeHooks)
            try ground.inHost { try reading.readHooks() }
            try takeOver(.beforePrograms)
            try ground.inHost { try reading.readPrograms() }
            try takeOver(.beforeMaps)
            try ground.inHost { try reading.readMaps() }
            try takeOver(.afterMaps)
        } catch let error as BPFError {
            #expect(step != .beforeHooks, "\(error)")
        }
        #expect(try ground.inHost { try !reading.isWhole() })
        #expect((ground.folder == before) == (need.admissions == HostGround.need.admissions))
        #expect(try ground.audit().outcome == .proven)
    }

    @Test func `what nobody changes is whole`() throws {
        let ground = try ground()
        var reading = try ground.reading()
        let isWhole = try ground.inHost {
            try reading.readHooks()
            try reading.readPrograms()
            try reading.readMaps()
            return try reading.isWhole()
        }
        #expect(isWhole)
        #expect(ground.proof(of: reading.state).outcome == .proven)
    }

    /// A program that an agent has exchanged, and not yet counted on for.
    @Test func `a hook that changes meanwhile is read again`() throws {
        let ground = try ground(.tcx)
        var reading = try ground.reading()
        try ground.inHost { try reading.readHooks() }
        try ground.unlink(ground.link(ground.posts[0], .egress))
        let isWhole = try ground.inHost {
            try reading.readPrograms()
            try reading.readMaps()
            return try reading.isWhole()
        }
        #expect(!isWhole)
    }

    @Test(arguments: [HostFilter.Attachment.tcx, .clsact])
    func `a veth that goes away concerns its endpoint only`(
        _ attachment: HostFilter.Attachment
    ) throws {
        let ground = try ground(attachment)
        let gone = ground.posts[0]
        try ground.run("ip link del \(gone.name)")
        let audit = try ground.audit()
        #expect(audit.findings.isEmpty)
        #expect(audit.unproven.count == 1)
        #expect(audit.unproven.first?.reason.contains("\(gone.name) went away") == true)
        #expect(!audit.posts.contains { $0.name == gone.name })
        #expect(audit.posts.count == 2 * (ground.posts.count - 1))
    }

    /// What flows come and go meanwhile hides none of those that stay.
    @Test func `entries that stay are read while others come and go`() throws {
        let map: BPFMap<UInt32, UInt64> = try BPFMap(
            "flows",
            owning: checkBPF("make a map") {
                bpf_map_create(BPF_MAP_TYPE_HASH, "flows", 4, 8, 1024, nil)
            })
        let kept = Set<UInt32>(0..<500)
        for key in kept { try map.set(1, for: key) }
        let isOver = Atomic(false)
        let raw = map.rawValue
        let coming = Thread {
            while !isOver.load(ordering: .relaxed) {
                for turn in UInt32(1000)..<1500 {
                    var (key, value) = (turn, UInt64(2))
                    bpf_map_update_elem(raw, &key, &value, 0)
                }
                for turn in UInt32(1000)..<1500 {
                    var key = turn
                    bpf_map_delete_elem(raw, &key)
                }
            }
        }
        coming.start()
        defer { isOver.store(true, ordering: .relaxed) }
        var worst = kept.count
        for _ in 0..<300 {
            let found = Set(try map.entries().map(\.key))
            worst = min(worst, found.intersection(kept).count)
        }
        #expect(worst == kept.count)
    }
}
