internal import BPFObjects
internal import CBPF
internal import HostRules
internal import Linux
public import NetTypes

/// Runs the programs on packets that are on no wire: BPF_PROG_TEST_RUN.
extension HostFilter {
    public struct Run: Hashable, Sendable {
        public let passes: Bool
        /// The packet's mark afterwards.
        public let mark: UInt32
        /// Time of one run on average.
        public let nanoseconds: UInt32
    }

    /// Judges a frame as the host end of an endpoint's veth would.
    ///
    /// - Parameters:
    ///   - frame: From the Ethernet header on, at most 4,096 bytes.
    ///   - direction: Towards the endpoint, or from it.
    ///   - interface: 1 is the loopback interface of the caller's namespace.
    ///   - mark: What the packet carries.
    ///   - times: How often it is judged.
    /// - Returns: The verdict, and what it took.
    /// - Throws: EINVAL for a frame that no interface would take.
    public func run(
        _ frame: [UInt8], _ direction: Direction, interface: Int32 = 1, mark: UInt32 = 0,
        times: Int = 1
    ) throws(BPFError) -> Run {
        try Self.run(
            direction == .ingress ? programs.to.rawValue : programs.from.rawValue, frame,
            interface: interface, mark: mark, times: times)
    }

    private static func run(
        _ program: CInt, _ frame: [UInt8], interface: Int32, mark: UInt32, times: Int
    ) throws(BPFError) -> Run {
        var run = cbpf_test_run(
            interface: UInt32(bitPattern: interface), mark: mark, repeat: UInt32(times),
            verdict: 0, nanoseconds: 0)
        try checkBPF("run a program") {
            cbpf_run_test(program, frame, UInt32(frame.count), &run)
        }
        return Run(
            passes: run.verdict == -1, mark: run.mark, nanoseconds: run.nanoseconds)
    }

    /// Makes each run of the programs on one packet see a flow of its own: `bpf/vary.bpf.c`.
    public final class FirstPackets {
        private let next: BPFMap<UInt32, UInt32>
        private let vary: Descriptor
        private let nothing: Descriptor

        init() throws(BPFError) {
            let loader = try BPFLoader(BPFObjects.vary)
            try loader.load()
            next = try BPFMap("next", owning: loader.map("next"))
            vary = try loader.program("vary")
            nothing = try loader.program("nothing")
        }

        fileprivate func run(
            _ frame: [UInt8], _ program: CInt?, counting: UInt16, times: Int
        ) throws(BPFError) -> Run {
            try next.set(UInt32(bitPattern: program ?? nothing.rawValue), for: 0)
            return try HostFilter.run(
                vary.rawValue, frame, interface: 1, mark: UInt32(counting), times: times)
        }
    }

    /// What `runFirstPackets` needs.
    public func firstPackets() throws(BPFError) -> FirstPackets { try FirstPackets() }

    /// What first packets cost: judges a frame so many times in one call, each time as another flow.
    ///
    /// Nobody may have seen the flows before; the source port is counted up with each run.
    ///
    /// - Parameters:
    ///   - frame: Of TCP or UDP over IPv4 without options.
    ///   - count: How many flows.
    ///   - packets: What counts up; made for this call without it.
    ///   - counting: The bits of the destination address's last 16 that count up with the port.
    /// - Returns: The last verdict, and what one run took on average without the way there, which is
    ///   measured right before.
    /// - Throws: What the kernel refused.
    public func runFirstPackets(
        _ frame: [UInt8], count: Int, by packets: FirstPackets, counting: UInt16 = 0
    ) throws(BPFError) -> Run {
        let way = try packets.run(frame, nil, counting: counting, times: 100_000)
        let all = try packets.run(
            frame, programs.from.rawValue, counting: counting, times: count)
        return Run(
            passes: all.passes, mark: all.mark,
            nanoseconds: all.nanoseconds - min(way.nanoseconds, all.nanoseconds))
    }

    /// The same, for those who do it once.
    public func runFirstPackets(_ frame: [UInt8], count: Int) throws(BPFError) -> Run {
        try runFirstPackets(frame, count: count, by: firstPackets())
    }

    /// Forgets every flow, as if all had been idle for too long.
    public func forgetFlows() throws(BPFError) {
        try maps.flows.end { _ in true }
        for (key, _) in try maps.overflowFlows.entries() { try maps.overflowFlows.remove(key) }
        try maps.flows.freeAll(free)
    }

    /// Takes an address from an endpoint and leaves the flows there, as a change does for a moment.
    public func dropAddress(_ address: IPAddress, of endpoint: NamespaceID) throws(BPFError) {
        let number = try number(of: endpoint)
        var rest = held[number] ?? HostEntries()
        rest.own.remove(address)
        try maps.own.remove(
            rf_own_key(endpoint: number, zero: 0, address: rf_address(address)))
        try setPosts(of: number, to: rest.profile)
        try renew()
    }

    /// Says whose interface it is, without standing guard there.
    public func declare(_ post: Post, of endpoint: NamespaceID) throws(BPFError) {
        flowShare = maps.capacity.flowShare(of: numbers.count)
        try setPost(post, of: endpoint)
    }

    /// The mark that says that an endpoint sent the packet.
    public func mark(ofSender number: UInt32) -> UInt32 {
        number << UInt32(configuration.identityMask.trailingZeroBitCount)
    }
}
