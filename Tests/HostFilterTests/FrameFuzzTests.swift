import Foundation
import Glibc
import HostFilter
import NetTypes
import Rules
import TestSupport
import Testing

/// Frames that are nearly right: each passes or is counted once, whatever it is.
@Suite(.serialized) struct FrameFuzzTests {
    private static let seconds =
        ProcessInfo.processInfo.environment["RINGFENCE_FUZZ_SECONDS"].flatMap { Double($0) } ?? 2

    /// What became of a frame; one that no other has come to is worth changing further.
    private struct Fate: Hashable {
        let direction: Direction
        let passes: Bool
        let refusal: HostRefusal?
        let overheard: HostOverheard?
        let layers: [UInt8]
    }

    private static let seeds: [[UInt8]] = [Direction.egress, .ingress].flatMap { direction in
        let syn: UInt8 = 2
        var frames = [
            Frame.ethernet(direction, 0x0806, Frame.arp(1, link: Frame.ownLink, Frame.own[0]))
        ]
        for family in AddressFamily.allCases {
            frames += [
                Frame.ip(direction, family, 6, Frame.tcp(1000, 80, syn)),
                Frame.ip(direction, family, 17, Frame.udp(1000, 53)),
                Frame.ip(direction, family, family == .v4 ? 1 : 58, Frame.icmp(8)),
                Frame.ip(direction, family, 17, Frame.udp(1000, 53), fragment: 0x2000),
                Frame.ip(direction, family, 132, Frame.tcp(1000, 80, syn)),
            ]
        }
        // Hop-by-hop options, routing, a fragment, destination options: RFC 8200, 4.
        let headers: [UInt8] = [43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0]
        let rest: [UInt8] = [60, 0, 0, 1, 0, 0, 0, 7, 17, 0, 1, 4, 0, 0, 0, 0]
        frames.append(Frame.ip(direction, .v6, 0, headers + rest + Frame.udp(1000, 53)))
        // Neighbour and router discovery.
        for type: UInt8 in 133...137 {
            frames.append(
                Frame.ip(
                    direction, .v6, 58,
                    Frame.icmp(
                        type, 0, [0, 0, 0, 0] + Frame.own[1].bytes + [1, 1] + Frame.ownLink),
                    hops: 255))
        }
        // An error that quotes a packet.
        let quoted = Frame.ip(direction, .v4, 6, Frame.tcp(1000, 80, syn)).dropFirst(14)
        frames.append(Frame.ip(direction, .v4, 1, Frame.icmp(3, 1) + quoted))
        return frames
    }

    @Test func `each frame passes, or is counted once`() throws {
        let bench = try TestBench()
        let seed = try #require(Seeds.all.last)
        var mutator = Mutator(Self.seeds, seed: seed)
        var fates: Set<Fate> = []
        var count = 0
        let end = ContinuousClock.now + .seconds(Self.seconds)
        while ContinuousClock.now < end {
            let frame = Array(
                (count < Self.seeds.count ? Self.seeds[count] : mutator.next()).prefix(1500))
            count += 1
            // What is shorter than its Ethernet header comes from no interface.
            guard frame.count >= 14 else { continue }
            for direction in [Direction.egress, .ingress] {
                guard let fate = try fate(of: frame, direction, bench) else { continue }
                if fates.insert(fate).inserted { mutator.add(frame) }
            }
        }
        print("fuzz: frames: \(count), seed \(seed), \(fates.count) fates")
        #expect(fates.contains { $0.passes })
        #expect(Set(fates.compactMap(\.refusal)).count > 8)
    }

    /// Nil where the kernel makes no packet of it.
    private func fate(
        of frame: [UInt8], _ direction: Direction, _ bench: TestBench
    ) throws -> Fate? {
        let (refused, overheard) = try counts(bench)
        guard let run = try judgement(of: frame, direction, bench) else { return nil }
        let after = try counts(bench)
        let refusals = HostRefusal.allCases.filter { refused[$0] != after.refused[$0] }
        let overhearings = HostOverheard.allCases.filter { overheard[$0] != after.overheard[$0] }
        #expect(
            refusals.count + overhearings.count == (run.passes ? 0 : 1),
            "\(direction), \(refusals) \(overhearings): \(frame)")
        return Fate(
            direction: direction, passes: run.passes, refusal: refusals.first,
            overheard: overhearings.first, layers: Self.layers(of: frame))
    }

    private func judgement(
        of frame: [UInt8], _ direction: Direction, _ bench: TestBench
    ) throws -> HostFilter.Run? {
        do throws(BPFError) {
            return try bench.filter.run(
                frame, direction, mark: direction == .ingress ? bench.peerMark : 0)
        } catch {
            guard error.code == EINVAL else { throw error }
            return nil
        }
    }

    private func counts(
        _ bench: TestBench
    ) throws -> (refused: [HostRefusal: Count], overheard: [HostOverheard: Count]) {
        (
            try bench.filter.totals(of: bench.endpoint),
            try bench.filter.overheard(by: bench.endpoint)
        )
    }

    /// The types that tell how a frame is read on: EtherType, and the next header.
    private static func layers(of frame: [UInt8]) -> [UInt8] {
        let next = frame[12] == 8 ? 23 : 20
        return Array(frame[12..<14]) + (frame.count > next ? [frame[next]] : [])
    }
}
