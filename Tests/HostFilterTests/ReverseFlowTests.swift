import HostFilter
import NetTypes
import Testing

/// Over the flow of who called, the one who was called answers and opens nothing.
@Suite(.serialized) struct ReverseFlowTests {
    private static let families: [AddressFamily] = [.v4, .v6]

    private struct Bench {
        let bench = try? TestBench()
        let family: AddressFamily

        func judge(
            _ direction: Direction, _ ipProtocol: UInt8, _ payload: [UInt8]
        ) throws -> HostRefusal? {
            try #require(bench).refusal(
                of: Frame.ip(direction, family, ipProtocol, payload), direction)
        }
    }

    /// A request type, its answer's, of one of the families.
    private static let requests: [(AddressFamily, request: UInt8, answer: UInt8)] = [
        (.v4, 8, 0), (.v4, 13, 14), (.v6, 128, 129),
    ]

    @Test(arguments: requests)
    func `who is asked may not ask back`(
        _ family: AddressFamily, _ request: UInt8, _ answer: UInt8
    ) throws {
        let bench = Bench(family: family)
        func judge(_ direction: Direction, _ type: UInt8, _ id: UInt8 = 9) throws -> HostRefusal? {
            try bench.judge(direction, family == .v4 ? 1 : 58, Frame.icmp(type, 0, [0, id, 0, 1]))
        }
        #expect(try judge(.ingress, request) == .refused)
        #expect(try judge(.egress, request) == nil)
        #expect(try judge(.ingress, request) == .refused)
        #expect(try judge(.ingress, answer) == nil)
        #expect(try judge(.ingress, request) == .refused)
        // Nor is an answer from who asked one.
        #expect(try judge(.egress, answer) == .invalid)
        #expect(try judge(.ingress, answer, 8) == .invalid)
        #expect(try judge(.egress, request) == nil)
    }

    /// Types that no rule of the bench admits stay closed beside a live flow.
    @Test func `other queries with the same identifier are other flows`() throws {
        let bench = Bench(family: .v4)
        #expect(try bench.judge(.egress, 1, Frame.icmp(8)) == nil)
        for type in [13, 15, 17] as [UInt8] {
            #expect(try bench.judge(.ingress, 1, Frame.icmp(type)) == .refused)
            #expect(try bench.judge(.ingress, 1, Frame.icmp(type + 1)) == .invalid)
        }
    }

    /// An error about an answer goes to who answered, about a request to who asked.
    @Test(arguments: families)
    func `errors about queries`(_ family: AddressFamily) throws {
        let bench = Bench(family: family)
        let (number, unreachable): (UInt8, UInt8) = family == .v4 ? (1, 3) : (58, 1)
        let (request, answer): (UInt8, UInt8) = family == .v4 ? (8, 0) : (128, 129)
        func error(_ direction: Direction, about type: UInt8) throws -> HostRefusal? {
            let quote = Frame.ip(direction.reversed, family, number, Frame.icmp(type))
            return try bench.judge(
                direction, number, Frame.icmp(unreachable, 1, [0, 0, 0, 0]) + quote.dropFirst(14))
        }
        #expect(try error(.ingress, about: request) == .invalid)
        #expect(try bench.judge(.egress, number, Frame.icmp(request)) == nil)
        #expect(try error(.ingress, about: request) == nil)
        #expect(try error(.egress, about: answer) == nil)
        #expect(try error(.ingress, about: answer) == .invalid)
        #expect(try error(.egress, about: request) == .invalid)
    }

    /// Source and destination port, a tag, a checksum, and the first chunk's type.
    private func sctp(_ ports: (UInt16, UInt16), _ chunk: UInt8) -> [UInt8] {
        ports.0.bytes + ports.1.bytes + [0, 0, 0, 1, 0, 0, 0, 0, chunk, 0, 0, 4]
    }

    @Test(arguments: families)
    func `who was called opens no SCTP association back`(_ family: AddressFamily) throws {
        let bench = Bench(family: family)
        let (initiate, acknowledge, data): (UInt8, UInt8, UInt8) = (1, 2, 0)
        func out(_ chunk: UInt8) throws -> HostRefusal? {
            try bench.judge(.egress, 132, sctp((1000, 5000), chunk))
        }
        func back(_ chunk: UInt8) throws -> HostRefusal? {
            try bench.judge(.ingress, 132, sctp((5000, 1000), chunk))
        }
        #expect(try out(initiate) == nil)
        #expect(try back(initiate) == .refused)
        #expect(try back(acknowledge) == nil)
        #expect(try back(data) == nil)
        #expect(try back(initiate) == .refused)
        #expect(try out(data) == nil)
        #expect(try out(initiate) == nil)
        #expect(try back(data) == nil)
    }

    /// The chunk's type would come with the next fragment.
    @Test func `a first fragment of SCTP holds the first chunk's type`() throws {
        let bench = try TestBench()
        for (count, refusal) in [(8, HostRefusal.fragment), (12, .fragment), (16, nil)] {
            let payload = Array(sctp((1000, 5000), 1).prefix(count))
            let frame = Frame.ip(.egress, .v4, 132, payload, fragment: 0x2000)
            #expect(try bench.refusal(of: frame, .egress) == refusal)
        }
    }

    @Test(arguments: families)
    func `UDP-Lite and DCCP answer from port to port`(_ family: AddressFamily) throws {
        let bench = Bench(family: family)
        func payload(_ ports: (UInt16, UInt16), type: UInt8) -> [UInt8] {
            ports.0.bytes + ports.1.bytes + [4, 0, 0, 0, type << 1, 0, 0, 0, 0, 0, 0, 0]
        }
        let (request, response): (UInt8, UInt8) = (0, 1)
        for number in [33, 136] as [UInt8] {
            #expect(try bench.judge(.ingress, number, payload((5, 6), type: response)) == .refused)
            #expect(try bench.judge(.egress, number, payload((6, 5), type: request)) == nil)
            #expect(try bench.judge(.ingress, number, payload((5, 6), type: response)) == nil)
            #expect(try bench.judge(.ingress, number, payload((5, 7), type: response)) == .refused)
            #expect(try bench.judge(.ingress, number, payload((7, 6), type: response)) == .refused)
        }
        #expect(try bench.judge(.ingress, 33, payload((5, 6), type: request)) == .refused)
    }
}
