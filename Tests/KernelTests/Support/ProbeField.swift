import Glibc
import Lab
import Linux
import NetTypes
import Policy
import TestSupport

/// A flow that is opened by a socket.
struct SocketProbe {
    let source: String
    let flow: Flow
}

/// Sockets that listen in every namespace and on the host, and those that call them.
final class ProbeField {
    /// Bounds that random policies like, and some beside them.
    static let ports: [UInt16] = [
        1, 2, 3, 22, 53, 80, 255, 256, 443, 1023, 1024, 5000, 8000, 8080, 10_001, 10_601, 12_999,
        20_480, 32_767, 32_768, 65_534, 65_535,
    ]

    private let rig: Rig
    private let places: [(name: String, addresses: [IPAddress])]
    private var datagrams: [Socket] = []
    private var connections: [Socket] = []

    /// A socket that a list can hold.
    private final class Socket {
        let socket: InternetSocket

        init(_ socket: consuming InternetSocket) { self.socket = socket }

        /// Whether the other end has answered.
        var isConnected: Bool {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            return withUnsafeMutableBytes(of: &storage) {
                getpeername(
                    socket.descriptor.rawValue,
                    $0.assumingMemoryBound(to: sockaddr.self).baseAddress, &length) == 0
            }
        }
    }

    init(_ rig: Rig) throws {
        self.rig = rig
        let hosts = rig.hostAddresses
        places = [("host", hosts)] + rig.topology.namespaces.map { ($0.name, $0.addresses) }
        for place in places {
            let namespace = try rig.namespace(place.name)
            for port in Self.ports {
                let any = SocketAddress(.v6(0), port: port)
                datagrams.append(
                    Socket(
                        try namespace.run { () throws(SystemError) in
                            let socket = try InternetSocket(.udp, .v6)
                            try socket.bind(to: any)
                            return socket
                        }))
                connections.append(
                    Socket(
                        try namespace.run { () throws(SystemError) in
                            let socket = try InternetSocket(.tcp, .v6)
                            try socket.bind(to: any)
                            try socket.listen()
                            return socket
                        }))
            }
        }
    }

    /// Random flows between two places.
    func probes(_ count: Int, _ random: inout SeededGenerator) -> [SocketProbe] {
        var probes: [SocketProbe] = []
        while probes.count < count {
            let (from, to) = (random.pick(places), random.pick(places))
            let source = random.pick(from.addresses)
            let destination = random.pick(to.addresses)
            guard from.name != to.name, source.family == destination.family else { continue }
            probes.append(
                SocketProbe(
                    source: from.name,
                    flow: Flow(
                        source: source, destination: destination,
                        ipProtocol: random.once(in: 4) ? .tcp : .udp,
                        sourcePort: UInt16(random.number(40_000...60_000)),
                        destinationPort: random.pick(Self.ports))))
        }
        return probes
    }

    /// Which of some probes got through: a datagram that arrived, a connection that was taken.
    func passed(_ probes: [SocketProbe]) async throws -> Set<Int> {
        var late: Set<Int> = []
        drain(into: &late)
        var callers: [(index: Int, caller: Socket)] = []
        for (index, probe) in probes.enumerated() {
            let flow = probe.flow
            let caller = try rig.namespace(probe.source).run { () throws(SystemError) in
                let caller = try InternetSocket(flow.ipProtocol, flow.source.family)
                // Another flow may have the port still.
                do throws(SystemError) {
                    try caller.bind(to: SocketAddress(flow.source, port: flow.sourcePort))
                } catch {
                    try caller.bind(to: SocketAddress(flow.source, port: 0))
                }
                return caller
            }
            let remote = SocketAddress(flow.destination, port: flow.destinationPort)
            do throws(SystemError) {
                try caller.connect(to: remote)
                if flow.ipProtocol == .udp { _ = try caller.send(UInt64(index).networkBytes) }
            } catch {
                // The own endpoint's table refuses with EPERM.
                // A random port may be in use; the probe is asked again.
                guard [EPERM, ECONNREFUSED, EADDRNOTAVAIL].contains(error.code) else { throw error }
                continue
            }
            callers.append((index, Socket(caller)))
        }
        var passed: Set<Int> = []
        // Whatever is going to arrive has done so when nothing more came for a while.
        var quiet = 0
        while quiet < 4 {
            try await Task.sleep(for: .milliseconds(5))
            let before = passed.count
            drain(into: &passed)
            for (index, caller) in callers where probes[index].flow.ipProtocol == .tcp {
                if caller.isConnected { passed.insert(index) }
            }
            quiet = passed.count == before ? quiet + 1 : 0
        }
        return passed
    }

    private func drain(into passed: inout Set<Int>) {
        for listener in datagrams {
            while let bytes = (try? listener.socket.receive(atMost: 64)) ?? nil {
                passed.insert(Int(UInt64(networkBytes: bytes)))
            }
        }
        for listener in connections {
            while (try? listener.socket.accept()) ?? nil != nil {}
        }
    }
}
