import CLinux
import Foundation
import Glibc
import NetTypes
import Readers
import Rules
import TestSupport
import Testing

@testable import Linux
@testable import Nftables

/// Whatever the bytes are, a reader ends, in time, with a value or an error.
///
/// How long each is tried says RINGFENCE_FUZZ_SECONDS; what makes a reader crash stands in the line before it.
@Suite(.serialized) struct FuzzTests {
    private static let seconds =
        ProcessInfo.processInfo.environment["RINGFENCE_FUZZ_SECONDS"].flatMap { Double($0) } ?? 2

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Tries a reader for its time; none may take longer than a second, or grow without end.
    private func fuzz(
        _ name: String, _ seeds: [[UInt8]], _ read: ([UInt8]) -> Void
    ) throws {
        try #require(!seeds.isEmpty)
        let seed = try #require(Seeds.all.last)
        var mutator = Mutator(seeds, seed: seed)
        for bytes in seeds { read(bytes) }
        let before = residentMegabytes()
        let end = ContinuousClock.now + .seconds(Self.seconds)
        var count = 0
        var slowest = Duration.zero
        while ContinuousClock.now < end {
            let bytes = mutator.next()
            let start = ContinuousClock.now
            read(bytes)
            let time = ContinuousClock.now - start
            if time > slowest { slowest = time }
            #expect(time < .seconds(2), "\(name), seed \(seed): \(bytes)")
            count += 1
        }
        let grown = residentMegabytes() - before
        #expect(grown < 256, "\(name) left \(grown) MiB")
        print("fuzz: \(name): \(count) inputs, seed \(seed), slowest \(slowest), \(grown) MiB more")
    }

    private func residentMegabytes() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = status.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096 >> 20
    }

    private func files(_ folder: String) throws -> [[UInt8]] {
        let folder = Self.root.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        )
        .filter { !$0.hasDirectoryPath }.sorted { $0.path < $1.path }
        .map { [UInt8](try Data(contentsOf: $0)) }
    }

    @Test(arguments: Reader.allCases)
    func `each reader comes back`(_ reader: Reader) throws {
        var seeds = try files("Tests/FuzzTests/Corpus/\(reader.rawValue)")
        switch reader {
        case .policies:
            seeds += try [
                "Tests/PolicyTests/GoodPolicies", "Tests/PolicyTests/BadPolicies", "policies",
            ]
            .flatMap { try files($0) }
        case .rtnetlink: seeds += try linksAndAddresses()
        case .nfnetlink, .rulesets: seeds += try tablesAndSets()
        default: break
        }
        try fuzz(reader.rawValue, seeds, reader.read)
    }

    private func linksAndAddresses() throws -> [[UInt8]] {
        try [(RTM_GETLINK, 16), (RTM_GETADDR, 8)].map { type, header in
            let socket = try NetlinkSocket(receiveBuffer: 1 << 20, blocking: true)
            var request = NetlinkRequest("dump", type: type, flags: NLM_F_DUMP)
            request.append(zeros: header)
            try socket.send(request.bytes(sequence: 1))
            return try socket.receive()
        }
    }

    /// NFT_MSG_GETTABLE, GETCHAIN, GETRULE, GETSET and GETSETELEM, of which the last needs a set's name:
    /// each answer by itself, and all together.
    private func tablesAndSets() throws -> [[UInt8]] {
        let namespace = try NetworkNamespace.temporary()
        let table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        let state = EndpointState(own: [.v4(0x0a00_0001), .v6(1)])
        _ = try table.apply(state.changes(from: nil), presence: .absent)
        let socket = try namespace.run { () throws(SystemError) in try NetfilterSocket() }
        var messages: [Message] = []
        for type: UInt16 in [1, 4, 7, 10] { messages += try socket.answers(type: type, family: 1) }
        for set in ["own4", "own6", "peers4"] {
            messages += try socket.answers(type: 13, family: 1, names: [1: "ringfence", 2: set])
        }
        return messages.map(datagram) + [messages.flatMap(datagram)]
    }

    /// A message as it came, behind a header of its own.
    private func datagram(_ message: Message) -> [UInt8] {
        func host<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            withUnsafeBytes(of: number) { Array($0) }
        }
        return host(UInt32(16 + message.payload.count)) + host(message.type) + host(message.flags)
            + host(message.sequence) + host(UInt32(0)) + message.payload
    }
}
