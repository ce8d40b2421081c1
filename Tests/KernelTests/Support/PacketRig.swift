import Linux
import NetTypes
import Policy
import Reports
import Testing

extension Rig {
    /// What packets are tried on: `a1` and `b1` are endpoints, `wild` is nobody's namespace, and
    /// `b1` may be called from both at UDP 7000 and TCP 5000.
    static func withPackets(
        _ family: AddressFamily, more: String = "", _ work: (Rig, RunningAgent) async throws -> Void
    ) async throws {
        try await Rig.with(["a1", "b1", "wild"]) { rig in
            try rig.writeTenants()
            let wild = try rig.address("wild", family)
            let policy = PolicyText.policy(
                PolicyText.udp("7000"), PolicyText.tcp("5000"),
                from: "{tenant: a}, {cidr: \"\(wild)\"}")
            try rig.write(policy, to: "a.yaml")
            if !more.isEmpty { try rig.write(more, to: "more.yaml") }
            try await rig.withAgent { agent in try await work(rig, agent) }
        }
    }

    /// A UDP packet between namespaces, its ports and source as told.
    func udp(
        _ family: AddressFamily, from source: String, to destination: String, port: UInt16,
        claiming claimed: String? = nil, _ text: String
    ) throws -> Wire.Packet {
        let source = try address(claimed ?? source, family)
        let destination = try address(destination, family)
        return Wire.Packet(
            source: source, destination: destination, ipProtocol: 17,
            payload: Wire.udp(
                from: SocketAddress(source, port: 30_000),
                to: SocketAddress(destination, port: port), Array(text.utf8)))
    }
}

extension RunningAgent {
    /// Waits until somebody's packets are reported as refused for a reason.
    func expectRefusal(
        _ reason: RefusalReason, _ direction: Direction, at endpoint: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        do {
            try await wait(for: "a \(reason) violation") {
                await violations().contains { violation in
                    let here = direction == .egress ? violation.source : violation.destination
                    return violation.reason == reason && violation.direction == direction
                        && here.endpoint == endpoint
                }
            }
        } catch let error as NotInTime {
            let found = await violations().map {
                "\($0.reason) \($0.direction) \($0.source.address) -> \($0.destination.address)"
            }
            Issue.record("\(error), only \(found)", sourceLocation: sourceLocation)
        }
    }
}

extension Rig {
    /// The texts that arrive at UDP 7000 and 7001 of `b1` while something is sent to it, the last
    /// of it an allowed packet that says "end": packets overtake nobody on a link.
    func arrivals(
        _ family: AddressFamily, from source: String = "wild",
        _ work: (borrowing RawSocket) throws -> Void
    ) async throws -> [String] {
        let listeners = try [7000, 7001].map { try listener("b1", family, port: $0) }
        let sender = try RawSocket.sender(family, in: source, of: self)
        try work(sender)
        sender.send(try udp(family, from: source, to: "b1", port: 7000, "end"))
        var texts: [String] = []
        try await wait(for: "the last packet") {
            for listener in listeners {
                while let bytes = try listener.socket.receive(atMost: 65_536) {
                    texts.append(String(decoding: bytes.prefix(16), as: UTF8.self))
                }
            }
            return texts.contains("end")
        }
        return texts.filter { $0 != "end" }.sorted()
    }
}
