import Foundation
import NetTypes
import TestSupport
import Testing
import Verifier

/// The verifier's own idea of nftables against the kernel, on rulesets of other people; and what it
/// says of all packets at once against what it says of one.
@Suite(.serialized) struct EvaluatorTests {
    private static let packetsOfSeed =
        ProcessInfo.processInfo.environment["RINGFENCE_FOREIGN_PACKETS"].flatMap { Int($0) }
        ?? 3_400
    private static let packetsOfBatch = 200

    @Test(arguments: Seeds.all)
    func `the verifier follows packets where the kernel does`(_ seed: UInt64) throws {
        let place = try ForeignStation()
        var random = SeededGenerator(seed: seed)
        var (judged, rulesets, refused, open) = (0, 0, 0, 0)
        while judged < Self.packetsOfSeed {
            var maker = RandomRuleset(seed: random.next())
            let text = maker.text()
            guard try place.load(text) else {
                refused += 1
                try #require(
                    refused < 50 + 4 * rulesets, "nft refuses too much: \(place.refusal)\n\(text)")
                continue
            }
            rulesets += 1
            let trial = PacketTrial(
                try place.ruleset(), interfaces: ForeignStation.interfaces,
                local: ForeignStation.addresses.compactMap { IPAddress($0) })
            let sent = place.packets(Self.packetsOfBatch, &random)
            let (wrong, undecided) = try place.disagreements(sent, trial)
            // To follow all packets takes longer than to follow some.
            if rulesets % 3 == 0 {
                let parted = Kinds(trial).disagreements(sent.map(\.trial))
                #expect(parted.isEmpty, "seed \(seed): \(parted.prefix(3))\n\(text)")
            }
            judged += sent.count
            open += undecided
            if !wrong.isEmpty {
                Issue.record(
                    "seed \(seed): \(wrong.count) wrong\n\(wrong.prefix(6).joined(separator: "\n"))\n\(text)"
                )
                return
            }
        }
        print(
            "seed \(seed): \(judged) foreign packets, \(rulesets) rulesets, "
                + "\(refused) refused by nft, \(open) packets that chance decides")
        #expect(open * 4 < judged)
    }
}
