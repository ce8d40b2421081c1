import Foundation
import NetTypes
import Policy
import TestSupport
import Testing
@testable import Verifier

/// Changes to the kernel's state behind the agent's back: the audit finds those that change a
/// packet's fate, and stays quiet about the others.
@Suite(.serialized) struct MutationTests {
    private static let wanted =
        ProcessInfo.processInfo.environment["RINGFENCE_MUTATIONS"].flatMap { Int($0) } ?? 30
    private static let perPolicy = 16

    @Test func `the audit finds what harms and nothing else`() throws {
        let seed = Seeds.all.last ?? 1
        var random = SeededGenerator(seed: seed)
        let stations = try Station.all(.drop)
        let world = SmallWorld(stations: stations.map(\.id))
        var tally = Tally()
        while tally.made < Self.wanted {
            let set = try RandomPolicies(seed: random.next()).policySet()
            let station = random.pick(Array(stations.prefix(3)))
            guard let ground = try MutationGround(station, set, world) else { continue }
            let before = try ground.audit()
            try #require(before.outcome == .proven, "seed \(seed): \(before.complaint ?? "")")
            let mutator = try ground.mutator()
            for _ in 0..<Self.perPolicy where tally.made < Self.wanted {
                guard let mutation = mutator.mutation(&random), try ground.make(mutation) else {
                    try ground.restore()
                    continue
                }
                try judge(mutation, ground, &tally, seed: random.next())
                try ground.restore()
            }
            try ground.clear()
        }
        print("seed \(seed): \(tally.line)")
        for line in tally.complaints { print("seed \(seed): \(line)") }
        #expect(tally.missed == 0)
        #expect(tally.falseAlarms == 0)
        #expect(tally.unconfirmed == 0)
    }

    struct Tally {
        var made = 0
        var harmful = 0
        var found = 0
        var missed = 0
        var falseAlarms = 0
        var confirmed = 0
        var unconfirmed = 0
        var untried = 0
        var kinds: [String: (made: Int, found: Int)] = [:]
        var complaints: [String] = []

        /// What `make mutate` reads.
        var line: String {
            let kinds = kinds.sorted { $0.key < $1.key }
                .map { "\($0.key) \($0.value.found)/\($0.value.made)" }.joined(separator: ", ")
            return "\(made) mutations made, \(harmful) harmful, \(found) found, \(missed) missed, "
                + "\(falseAlarms) false alarms, \(confirmed) confirmed, \(unconfirmed) refuted, "
                + "\(untried) not to be tried; found of made: \(kinds)"
        }
    }

    private func judge(
        _ mutation: Mutation, _ ground: MutationGround, _ tally: inout Tally, seed: UInt64
    ) throws {
        let audit = try ground.audit()
        let longWay = try ground.audit(followsAll: true)
        // Of two rules that one mark speaks for, the one that is met first has it: which one that is
        // depends on the way.
        #expect(
            audit.said.filter { !$0.isOfCredit } == longWay.said.filter { !$0.isOfCredit },
            "seed \(seed): \(mutation.commands)")
        let isCredited = audit.said.contains(where: \.isOfCredit)
        #expect(isCredited == longWay.said.contains(where: \.isOfCredit))
        let harm = try ground.harm(120, seed: seed)
        let isFound = audit.outcome != .proven
        tally.made += 1
        tally.kinds[mutation.kind, default: (0, 0)].made += 1
        if isFound { tally.kinds[mutation.kind, default: (0, 0)].found += 1 }
        var isConfirmed = false
        var tried = 0
        for finding in audit.findings.prefix(6) {
            switch try ground.confirms(finding, mutation) {
            case .some(true):
                isConfirmed = true
                tried += 1
            case .some(false):
                tried += 1
                tally.unconfirmed += 1
                tally.complaints.append(
                    "refuted by a packet: \(mutation.kind): \(mutation.commands)\n  \(finding.packet)"
                        + "\n  policy \(finding.policy.reason), kernel \(finding.kernel.reason)")
            case nil: continue
            }
        }
        if isConfirmed { tally.confirmed += 1 }
        if isFound, tried == 0 { tally.untried += 1 }
        if harm != nil || isConfirmed || isFound && tried == 0 { tally.harmful += 1 }
        if isFound { tally.found += 1 }
        if let harm, !isFound {
            tally.missed += 1
            tally.complaints.append("missed: \(mutation.kind): \(mutation.commands)\n  \(harm)")
        }
        if isFound, tried > 0, !isConfirmed, harm == nil { tally.falseAlarms += 1 }
    }
}

extension EndpointAudit {
    /// What was found, whatever packet shows it and in whatever order.
    fileprivate var said: [String] {
        let found = findings.map {
            "\($0.kind) \($0.path) \($0.policy.rule.map { "\($0.id)" } ?? "-") \($0.kernel.places.last?.description ?? "")"
        }
        return (found + unproven.map { "\($0.place?.description ?? "") \($0.reason)" }).sorted()
    }
}

extension String {
    fileprivate var isOfCredit: Bool { hasPrefix("misattributes") }
}
