import Glibc
public import Linux
import NetTypes
public import Policy

/// Sends the first packet of a flow from inside a namespace, and tells what came of it.
///
/// Nothing that listens at the other end sees data or a connection: TCP is tried with a SYN that
/// no socket of this side stands behind, so that the kernel resets what answers it; UDP with an
/// empty datagram to a port that nobody listens to; ICMP with an echo request.
public struct PacketProbe: Sendable {
    public enum Answer: Hashable, Sendable {
        /// The other end answered: a SYN/ACK or a reset, an echo, a closed port.
        case answered
        /// The own side refused to send.
        case refusedHere
        /// Nothing came back in time.
        case silent
    }

    /// How long an answer may take.
    public var patience: Duration

    public init(patience: Duration = .milliseconds(250)) { self.patience = patience }

    /// Ports that the kernel gives to nobody by itself.
    public static let sourcePorts: ClosedRange<UInt16> = 61_000...65_500

    /// Sends one packet; the flow is TCP, UDP, or an ICMP or ICMPv6 echo request, whose source port
    /// is its identifier.
    public func ask(
        _ flow: Flow, from namespace: borrowing NetworkNamespace
    ) throws(SystemError) -> Answer {
        let isRaw = flow.ipProtocol != .udp
        let socket = try namespace.run { () throws(SystemError) in
            let socket =
                isRaw
                ? try InternetSocket(raw: flow.ipProtocol, flow.source.family)
                : try InternetSocket(.udp, flow.source.family)
            try socket.bind(to: SocketAddress(flow.source, port: isRaw ? 0 : flow.sourcePort))
            return socket
        }
        let number = UInt32.random(in: .min ... .max)
        do throws(SystemError) {
            let port = isRaw ? 0 : flow.destinationPort
            try socket.connect(to: SocketAddress(flow.destination, port: port))
            _ = try socket.send(bytes(of: flow, number))
            return try wait(for: flow, number, on: socket)
        } catch {
            switch error.code {
            // A filter on the way out answers the sender itself.
            case EPERM: return .refusedHere
            case ECONNREFUSED: return .answered
            // A filter or a router on the way said no.
            case EHOSTUNREACH, ENETUNREACH, EACCES, ECONNRESET: return .silent
            default: throw error
            }
        }
    }

    private func bytes(of flow: Flow, _ number: UInt32) -> [UInt8] {
        switch flow.ipProtocol {
        case .tcp: Segment.syn(flow, number: number)
        case .udp: []
        default: Segment.echo(flow, identifier: flow.sourcePort)
        }
    }

    private func wait(
        for flow: Flow, _ number: UInt32, on socket: borrowing InternetSocket
    ) throws(SystemError) -> Answer {
        let poller = try Poller()
        try poller.add(socket.descriptor.rawValue, token: 1)
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end {
            _ = try poller.wait(milliseconds: 10)
            while let bytes = try socket.receive() {
                if isAnswer(bytes, to: flow, number) { return .answered }
            }
        }
        return .silent
    }

    private func isAnswer(_ bytes: [UInt8], to flow: Flow, _ number: UInt32) -> Bool {
        switch flow.ipProtocol {
        case .tcp: Segment.answersSyn(bytes, flow, number: number)
        case .udp: true
        default: Segment.answersEcho(bytes, flow, identifier: flow.sourcePort)
        }
    }
}

/// The UDP ports that somebody listens to in a namespace, of both families.
///
/// The kernel tells in `/proc/thread-self/net/udp` and `udp6`, in hexadecimal digits.
public func listeningUDPPorts(
    in namespace: borrowing NetworkNamespace
) throws(SystemError) -> Set<UInt16> {
    try namespace.run { () throws(SystemError) in
        var ports: Set<UInt16> = []
        for name in ["udp", "udp6"] {
            let lines = try readText("/proc/thread-self/net/\(name)").split(separator: "\n")
            for line in lines.dropFirst() {
                let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                guard fields.count > 1, let port = fields[1].split(separator: ":").last else {
                    continue
                }
                if let number = UInt16(port, radix: 16) { ports.insert(number) }
            }
        }
        return ports
    }
}
