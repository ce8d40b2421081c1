import Foundation
import NetTypes
import TestSupport
import Testing
@testable import HostFilter
@testable import Verifier

/// Changes to the host filter behind the agent's back: the audit finds those that change a packet's
/// fate, and stays quiet about the others.
@Suite(.serialized) struct HostMutationTests {
    private static let wanted =
        ProcessInfo.processInfo.environment["RINGFENCE_MUTATIONS"].flatMap { Int($0) } ?? 12
    private static let perPolicy = 12

    @Test func `the audit finds what harms the host filter and nothing else`() throws {
        let seed = Seeds.all.last ?? 1
        var random = SeededGenerator(seed: seed)
        let world = SmallWorld()
        var tally = MutationTests.Tally()
        while tally.made < Self.wanted {
            let set = try RandomPolicies(seed: random.next()).policySet()
            let attachment: HostFilter.Attachment = random.once(in: 2) ? .clsact : .auto
            guard let ground = try HostGround(set, world, attachment) else { continue }
            let before = try ground.audit()
            let complaint =
                before.findings.first.map { "\($0)" } ?? before.unproven.first.map { "\($0)" }
            try #require(before.outcome == .proven, "seed \(seed): \(complaint ?? "")")
            let mutator = HostMutator(ground: ground)
            for _ in 0..<Self.perPolicy where tally.made < Self.wanted {
                guard let mutation = try mutator.mutation(&random) else { continue }
                try mutation.make()
                try judge(mutation, ground, &tally, seed: random.next())
                try mutation.undo()
                // What packets opened under the mutation goes on as long as its rule is live.
                try ground.filter.forgetFlows()
            }
            let after = try ground.audit()
            #expect(after.outcome == .proven, "seed \(seed): \(after.findings)")
        }
        print("seed \(seed): \(tally.line)")
        for line in tally.complaints { print("seed \(seed): \(line)") }
        #expect(tally.missed == 0)
        #expect(tally.falseAlarms == 0)
        #expect(tally.unconfirmed == 0)
    }

    @Test(arguments: [HostFilter.Attachment.tcx, .clsact])
    func `the audit finds what stands at the veths`(
        _ attachment: HostFilter.Attachment
    ) throws {
        let seed = Seeds.all.last ?? 1
        var random = SeededGenerator(seed: seed)
        var made: HostGround?
        while made == nil {
            let set = try RandomPolicies(seed: random.next()).policySet()
            made = try HostGround(set, SmallWorld(), attachment)
        }
        let ground = try #require(made)
        for _ in 0..<12 {
            let mutation = HostMutator(ground: ground).program(&random)
            try mutation.make()
            let isFound = try ground.audit().outcome != .proven
            #expect(isFound == (mutation.isHarmless == false), "seed \(seed): \(mutation.kind)")
            try mutation.undo()
            let after = try ground.audit()
            let complaint =
                after.findings.first.map { "\($0)" } ?? after.unproven.first.map { "\($0)" }
            try #require(
                after.outcome == .proven, "seed \(seed): \(mutation.kind): \(complaint ?? "")")
        }
    }

    private func judge(
        _ mutation: HostMutation, _ ground: HostGround, _ tally: inout MutationTests.Tally,
        seed: UInt64
    ) throws {
        let audit = try ground.audit()
        let isFound = audit.outcome != .proven
        var (confirmed, tried) = (0, 0)
        for finding in audit.findings.prefix(6) {
            guard let isConfirmed = try ground.confirms(finding) else { continue }
            tried += 1
            confirmed += isConfirmed ? 1 : 0
            if !isConfirmed {
                tally.unconfirmed += 1
                tally.complaints.append(
                    "refuted by a packet: \(mutation.kind): \(finding.kind) \(finding.place): "
                        + "\(finding.reason)\n  \(finding.packet.map { "\($0)" } ?? "")")
            }
        }
        let harm = try ground.harm(24, seed: seed)
        tally.made += 1
        tally.kinds[mutation.kind, default: (0, 0)].made += 1
        let isHarmful = mutation.isHarmless == false || harm != nil || confirmed > 0
        if isFound { tally.found += 1 }
        if isFound { tally.kinds[mutation.kind, default: (0, 0)].found += 1 }
        if confirmed > 0 { tally.confirmed += 1 }
        if isFound, tried == 0 { tally.untried += 1 }
        if isHarmful || isFound && tried == 0 { tally.harmful += 1 }
        if isHarmful, !isFound {
            tally.missed += 1
            tally.complaints.append("missed: \(mutation.kind): \(harm ?? "")")
        }
        if isFound, mutation.isHarmless == true || tried > 0 && !isHarmful {
            tally.falseAlarms += 1
            let found = audit.findings.first.map { "\($0)" } ?? "\(audit.unproven)"
            tally.complaints.append("false alarm: \(mutation.kind): \(found)")
        }
    }
}
