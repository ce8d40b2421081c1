import Agent
import CLinux
import Foundation
import Glibc
import Linux
import NetTypes
import Nftables
import Reports
import Rules
import Synchronization
import Testing

extension KernelTests {
    /// Whoever is root in a namespace may send to every netlink socket there; only the kernel is believed.
    @Suite struct ForgeryTests {
        @Test func `a tenant's root can't make up links and addresses`() throws {
            let namespace = try NetworkNamespace.temporary()
            let monitor = try RouteMonitor(in: namespace)
            let forger = try Forger(in: namespace, family: NETLINK_ROUTE)
            // struct ifaddrmsg, and an address that nobody has: RTM_NEWADDR.
            let address: [UInt8] = [2, 32, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 10, 9, 9, 9]
            try forger.send(20, address, to: try port(of: monitor.descriptor))
            #expect(try monitor.drain() == .changes([]))
        }

        @Test func `a reading is what the kernel says`() throws {
            let namespace = try NetworkNamespace.temporary()
            var socket = try RouteSocket(in: namespace)
            let before = try socket.interfaces()
            let forging = try Forging(
                in: namespace, NETLINK_ROUTE, [(2, Int32(-EPERM).bytes), (3, Int32(0).bytes)])
            for _ in 0..<100 { #expect(try socket.interfaces() == before) }
            #expect(forging.end() > 10)
        }

        /// What a refusal says, the greatest one, and the end of a list come without a pause.
        @Test func `changes come into force while somebody answers in the kernel's place`() throws {
            let namespace = try NetworkNamespace.temporary()
            let table = EndpointTable(
                try namespace.run { () throws(SystemError) in try NetfilterSocket() })
            var held: EndpointState?
            let forging = try Forging(
                in: namespace, NETLINK_NETFILTER,
                [(2, Int32(-EPERM).bytes), (2, Int32.min.bytes), (3, Int32(0).bytes)])
            for number in 0..<50 {
                let wanted = EndpointState(own: [.v4(0x0a00_0001 + UInt32(number))])
                _ = try table.apply(
                    wanted.changes(from: held), presence: held == nil ? .absent : .owned)
                held = wanted
                #expect(try table.read()?.state == wanted)
                _ = try table.refusals()
            }
            #expect(forging.end() > 10)
        }

        /// What is sent to one socket is refused, and what is sent to a group fills the socket that listens.
        @Test func `sockets that somebody fills hide nothing and hold nothing up`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await rig.listened(agent, to: "b1")
                    let filling = [UInt8](repeating: 0, count: 32_000)
                    let forger = try Forger(in: rig.namespace("b1"), family: NETLINK_NETFILTER)
                    for port in try rig.netfilterPorts(of: "b1") {
                        #expect(try forger.send(2, filling, to: port) == ECONNREFUSED)
                    }
                    let forging = try Forging(
                        in: rig.namespace("b1"), NETLINK_NETFILTER, [(10 << 8, filling)],
                        group: 7)
                    try await wait(for: "a socket to be full") {
                        await agent.status().lost.rules > 0
                    }
                    for number in 0..<5 {
                        let change = try await agent.change {
                            try rig.write(
                                PolicyText.policy(PolicyText.udp("\(7001 + number)")), to: "a.yaml")
                        }
                        #expect(change.inForce - change.begun < 1_000_000_000)
                    }
                    try rig.replaceOwner(of: "b1")
                    _ = try await rig.nft("flush map inet ringfence rules", in: "b1")
                    try await wait(for: "the repair", within: .seconds(20)) {
                        try await agent.agent.drift(DriftQuestion()).drift.contains {
                            $0.kind == .ownTable && $0.isRepaired
                        }
                    }
                    #expect(try rig.reading(of: "b1")?.state.rules.isEmpty == false)
                    #expect(forging.end() > 10)
                }
            }
        }

        private func port(of socket: CInt) throws -> UInt32 {
            var address = sockaddr_nl()
            var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
            try withUnsafeMutablePointer(to: &address) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    _ = try check("getsockname") { getsockname(socket, generic, &length) }
                }
            }
            return address.nl_pid
        }
    }
}

/// A netlink socket of a tenant's root.
private struct Forger: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let family: CInt

    init(in namespace: borrowing NetworkNamespace, family: CInt) throws {
        self.family = family
        descriptor = try namespace.run { () throws(SystemError) in
            Descriptor(
                owning: try check("socket") { socket(AF_NETLINK, CInt(SOCK_RAW.rawValue), family) })
        }
    }

    /// Sends one message to a socket, or to a group; what finds no room is dropped.
    ///
    /// - Returns: 0, or why nothing was sent.
    @discardableResult
    func send(
        _ type: UInt16, _ payload: [UInt8], sequence: UInt32 = 1, to port: UInt32,
        group: UInt32 = 0
    ) throws -> CInt {
        let length = UInt32(16 + payload.count)
        let bytes: [UInt8] =
            length.bytes + type.bytes + UInt16(0).bytes + sequence.bytes + UInt32(0).bytes + payload
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_pid = port
        address.nl_groups = group == 0 ? 0 : 1 << (group - 1)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor.rawValue, bytes, bytes.count, CInt(MSG_DONTWAIT), $0,
                    socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard sent < 0 else { return 0 }
        // A socket that is full, that refuses, or that is gone by now.
        let code = errno
        guard [EAGAIN, ENOBUFS, ECONNREFUSED, ESRCH].contains(code) else {
            throw SystemError("sendto", code: code)
        }
        return code
    }
}

/// Messages to all sockets of a namespace, one after the other, until somebody ends it.
private struct Forging: ~Copyable {
    private let sign = StopSign()
    private let count = Counter()
    private let thread: BackgroundThread

    private final class Counter: Sendable { let value = Mutex(0) }

    init(
        in namespace: borrowing NetworkNamespace, _ family: CInt, _ messages: [(UInt16, [UInt8])],
        group: UInt32? = nil
    ) throws {
        let forger = try Forger(in: namespace, family: family)
        let all = try namespace.run { () throws(SystemError) in netlinkPorts(of: family) }
        try #require(!all.isEmpty)
        let ports = group == nil ? all : [0]
        let (sign, count) = (sign, count)
        let box = Box(forger)
        thread = try BackgroundThread(until: sign) {
            var sequence: UInt32 = 0
            while !sign.isRaised {
                sequence = (sequence + 1) % 64
                for (type, payload) in messages {
                    for port in ports {
                        _ = try? box.forger.send(
                            type, payload, sequence: sequence, to: port, group: group ?? 0)
                        count.value.withLock { $0 += 1 }
                    }
                }
            }
        }
        while count.value.withLock({ $0 }) == 0 { usleep(100) }
    }

    private final class Box: Sendable {
        let forger: Forger
        init(_ forger: consuming Forger) { self.forger = forger }
    }

    /// How many messages were sent.
    func end() -> Int {
        sign.raise()
        return count.value.withLock { $0 }
    }
}

/// As anybody in the namespace can read them: `Eth` is the family, `Pid` the port.
private func netlinkPorts(of family: CInt) -> [UInt32] {
    let text =
        (try? String(contentsOfFile: "/proc/thread-self/net/netlink", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").dropFirst().compactMap { line in
        let fields = line.split(separator: " ")
        guard fields.count > 2, CInt(fields[1]) == family, let port = UInt32(fields[2]),
            port != 0
        else { return nil }
        return port
    }
}

extension Rig {
    /// The netfilter sockets that the agent has in a namespace.
    fileprivate func netfilterPorts(of name: String) throws -> [UInt32] {
        try namespace(name).run { () throws(SystemError) in netlinkPorts(of: NETLINK_NETFILTER) }
    }
}

extension FixedWidthInteger {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}
