import NetTypes
import Policy

/// An ICMP error that quotes a flow, rightly or not.
struct QuotingError: Hashable {
    /// Who sends it.
    enum Sender: Hashable {
        /// The far end of the flow, or the endpoint itself where that is whom the error comes from.
        case side
        case address(IPAddress)
        /// Whoever gets it, as if it came from there.
        case receiver
    }

    /// What is wrong with the quote.
    enum Lie: Hashable {
        case nothing
        case port
        case ipProtocol
        /// The error goes to somebody else than who sent what is quoted.
        case receiver(IPAddress)
        /// It is a fragment that is not the first one.
        case fragment
        /// So many bytes of the transport part are left.
        case cut(Int)
    }

    let type: UInt8
    let code: UInt8
    /// Whether the flow that is quoted was there before.
    let isOpened: Bool
    /// It quotes an answer instead of what was sent.
    let quotesAnswer: Bool
    let sender: Sender
    let lie: Lie
    /// Of IPv6: what stands before the quoted transport part.
    let chain: ExtensionChain

    /// What the far end of a flow, or the near one, complains about.
    func quoted(of flow: Flow) -> Flow { quotesAnswer ? flow.answer : flow }

    /// Whether the lie makes the quote one of no flow at all.
    func isFalse(about flow: Flow) -> Bool {
        switch lie {
        // Whom it goes to is seen on its way.
        case .nothing, .receiver: false
        case .cut(let count):
            flow.ipProtocol.isICMP ? count < 8 : flow.ipProtocol.hasPorts && count < 4
        default: true
        }
    }

    /// Whether the host filter refuses it even so: it wants the eight bytes of RFC 792.
    func isTooShort(for flow: Flow) -> Bool {
        guard case .cut(let count) = lie else { return false }
        return flow.ipProtocol.hasPorts && count < 8
    }

    /// The message, from its type on.
    func message(about flow: Flow, number: UInt16) -> [UInt8] {
        let quoted = quoted(of: flow)
        return [type, code, 0, 0, 0, 0, 0, 0] + quote(quoted, number).bytes
    }

    private func quote(_ quoted: Flow, _ number: UInt16) -> Packet {
        var flow = quoted
        if lie == .ipProtocol
            || lie == .port && !flow.ipProtocol.hasPorts && !flow.ipProtocol.isICMP
        {
            flow = flow.with(ipProtocol: flow.ipProtocol == .tcp ? .udp : .tcp)
        } else if lie == .port {
            flow = flow.with(sourcePort: flow.sourcePort &+ 1)
        }
        var transport = flow.opening()
        if case .cut(let count) = lie { transport = Array(transport.prefix(count)) }
        let number4 = flow.ipProtocol.rawValue
        guard flow.source.family == .v6 else {
            return Packet(
                source: flow.source, destination: flow.destination, number: number, next: number4,
                fragment: lie == .fragment ? 3 : 0, body: transport)
        }
        let body =
            lie == .fragment ? [number4, 0, 0, 24, 0, 0, 0, 7] + transport : transport
        let first = lie == .fragment ? ExtensionChain.fragment : number4
        return Packet(
            source: flow.source, destination: flow.destination, number: number,
            next: chain.first(before: first), body: chain.bytes(before: first) + body)
    }
}

extension Flow {
    fileprivate func with(ipProtocol: IPProtocol? = nil, sourcePort: UInt16? = nil) -> Flow {
        Flow(
            source: source, destination: destination, ipProtocol: ipProtocol ?? self.ipProtocol,
            sourcePort: sourcePort ?? self.sourcePort, destinationPort: destinationPort)
    }
}
