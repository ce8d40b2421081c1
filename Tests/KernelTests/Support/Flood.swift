import Glibc
import Linux
import NetTypes

/// A fixed number of UDP packets, spread over a fixed number of flows.
struct Flood: Sendable {
    let flows: UInt16
    let packetsPerFlow: Int
    let payload: Int
    /// The flows' own ports begin here.
    var firstPort: UInt16 = 20_000

    var packets: UInt64 { UInt64(flows) * UInt64(packetsPerFlow) }

    /// What the network layer carries: what nftables counts.
    func bytes(_ family: AddressFamily) -> UInt64 {
        packets * UInt64(payload + 8 + (family == .v4 ? 20 : 40))
    }

    /// Sends all from one namespace to another; a refusal by the own endpoint is no error.
    func send(
        from source: String, to destination: String, _ family: AddressFamily, port: UInt16,
        in rig: Rig
    ) async throws {
        let remote = SocketAddress(try rig.address(destination, family), port: port)
        let local = try rig.address(source, family)
        let place = try rig.path(source)
        try await onThread {
            try NetworkNamespace(at: place).run { () throws(SystemError) in
                try send(from: local, to: remote)
            }
        }
    }

    private func send(from local: IPAddress, to remote: SocketAddress) throws(SystemError) {
        let bytes = [UInt8](repeating: 7, count: payload)
        for flow in 0..<flows {
            let socket = try InternetSocket(.udp, local.family)
            try socket.bind(to: SocketAddress(local, port: firstPort + flow))
            try socket.connect(to: remote)
            for _ in 0..<packetsPerFlow {
                do throws(SystemError) {
                    _ = try socket.send(bytes)
                } catch  where error.code == EPERM {}
            }
        }
    }
}

extension Rig {
    /// Opens a UDP port that swallows what comes, so that nothing answers.
    func listener(_ name: String, _ family: AddressFamily, port: UInt16) throws -> SharedSocket {
        let local = SocketAddress(try address(name, family), port: port)
        return try namespace(name).run { () throws(SystemError) in
            try SharedSocket(.udp, family) { (socket) throws(SystemError) in
                try socket.setReceiveBuffer()
                try socket.bind(to: local)
            }
        }
    }
}
