import CLinux
import CNI
import Foundation
import Glibc
import NetTypes
import Policy
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
            #expect(time < .seconds(1), "\(name), seed \(seed): \(bytes)")
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

    @Test func `policy files`() throws {
        let seeds = try [
            "Tests/PolicyTests/GoodPolicies", "Tests/PolicyTests/BadPolicies", "policies",
        ]
        .flatMap { try files($0) }
        try fuzz("policy files", seeds) { bytes in
            guard let file = try? PolicyFile(parsing: bytes, path: "fuzz.yaml") else { return }
            _ = try? PolicySet.empty.replacing(["fuzz.yaml": file])
        }
    }

    @Test func `requests of container runtimes`() throws {
        try fuzz("CNI", try files("Tests/FuzzTests/Corpus/CNI")) { bytes in
            let environment = [
                "CNI_COMMAND": "ADD", "CNI_NETNS": "/run/netns/a", "CNI_IFNAME": "eth0",
                "CNI_CONTAINERID": "a",
            ]
            _ = try? CNIRequest(environment: environment, input: bytes)
        }
    }

    @Test func `links and addresses`() throws {
        var seeds: [[UInt8]] = []
        for (type, header) in [(RTM_GETLINK, 16), (RTM_GETADDR, 8)] {
            let socket = try NetlinkSocket(receiveBuffer: 1 << 20, blocking: true)
            var request = NetlinkRequest("dump", type: type, flags: NLM_F_DUMP)
            request.append(zeros: header)
            try socket.send(request.bytes(sequence: 1))
            seeds.append(try socket.receive())
        }
        try fuzz("rtnetlink", seeds) { bytes in
            var links = NetlinkAnswer(to: 1) { _, payload throws(NetlinkParseError) in
                try Link(payload)
            }
            try? links.append(bytes)
            var addresses = NetlinkAnswer(to: 1) { _, payload throws(NetlinkParseError) in
                try InterfaceAddress(payload)
            }
            try? addresses.append(bytes)
        }
    }

    /// NFT_MSG_GETRULE, GETSET and GETSETELEM, of which the last needs a set's name.
    @Test func `tables, sets and logged packets`() throws {
        let namespace = try NetworkNamespace.temporary()
        let table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        let state = EndpointState(own: [.v4(0x0a00_0001), .v6(1)])
        _ = try table.apply(state.changes(from: nil), presence: .absent)
        let socket = try namespace.run { () throws(SystemError) in try NetfilterSocket() }
        var messages = try socket.answers(type: 7, family: 1)
        messages += try socket.answers(type: 10, family: 1)
        for set in ["own4", "own6", "peers4"] {
            messages += try socket.answers(type: 13, family: 1, names: [1: "ringfence", 2: set])
        }
        try fuzz("nfnetlink", messages.map(datagram)) { bytes in
            let read = Message.all(in: bytes[...])
            _ = ReadElement.all(in: read)
            for message in read {
                _ = Acknowledgement(message)
                _ = TrackedConnection(message)
                _ = message.attributes.map { $0.nested.map(\.text) }
            }
            _ = EndpointTable.Retired(in: bytes)
            _ = EndpointTable.digest(of: bytes)
        }
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
