private import CLinux
private import Glibc
private import NetTypes

/// Asks one namespace for its links and addresses, and changes them.
///
/// The namespace lives at least as long as the socket does.
public struct RouteSocket: ~Copyable, Sendable {
    private let socket: NetlinkSocket
    private var sequence: UInt32

    /// Opens it in the calling thread's namespace.
    ///
    /// The system call is `socket`.
    public init() throws(SystemError) {
        let socket = try NetlinkSocket(receiveBuffer: 1 << 20, blocking: true)
        self.socket = socket
        sequence = 0
    }

    /// Opens it in another namespace.
    public init(in namespace: borrowing NetworkNamespace) throws(SystemError) {
        self = try namespace.run { () throws(SystemError) in try RouteSocket() }
    }

    /// Every link.
    ///
    /// The request is RTM_GETLINK.
    public mutating func links() throws(SystemError) -> [Link] {
        // Statistics are the greatest part of an answer, and nobody reads them here.
        var request = NetlinkRequest("RTM_GETLINK", type: RTM_GETLINK, flags: NLM_F_DUMP)
        request.append(zeros: 16)
        request.append(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
        return try dump(request, of: RTM_NEWLINK) { payload throws(NetlinkParseError) in
            try Link(payload)
        }
    }

    /// Every address of both families, except those that another host was found to have.
    ///
    /// The request is RTM_GETADDR.
    public mutating func addresses() throws(SystemError) -> [InterfaceAddress] {
        var request = NetlinkRequest("RTM_GETADDR", type: RTM_GETADDR, flags: NLM_F_DUMP)
        request.append(zeros: 8)
        return try dump(request, of: RTM_NEWADDR) { payload throws(NetlinkParseError) in
            try InterfaceAddress(payload)
        }
    }

    /// Every link with its addresses, by index.
    public mutating func interfaces() throws(SystemError) -> [Interface] {
        let links = try links()
        let addresses = Dictionary(grouping: try addresses(), by: \.linkIndex)
        return links.map { Interface(link: $0, addresses: addresses[$0.index] ?? []) }
            .sorted { $0.link.index < $1.link.index }
    }

    /// Every route of both families and all tables that says where single hosts are, in the kernel's order.
    ///
    /// The request is RTM_GETROUTE.
    public mutating func routes() throws(SystemError) -> [Route] {
        var routes: [Route] = []
        for family in AddressFamily.allCases {
            var request = NetlinkRequest("RTM_GETROUTE", type: RTM_GETROUTE, flags: NLM_F_DUMP)
            request.append(field: family.number)
            request.append(zeros: 11)
            routes += try dump(request, of: RTM_NEWROUTE) { payload throws(NetlinkParseError) in
                try Route(payload)
            }
        }
        return routes
    }

    /// Every link-layer address that the neighbour tables and the bridges' forwarding databases know.
    ///
    /// The request is RTM_GETNEIGH.
    public mutating func neighbours() throws(SystemError) -> [Neighbour] {
        var neighbours: [Neighbour] = []
        for family in [AF_BRIDGE, AF_INET, AF_INET6] {
            var request = NetlinkRequest("RTM_GETNEIGH", type: RTM_GETNEIGH, flags: NLM_F_DUMP)
            request.append(field: UInt8(family))
            request.append(zeros: 11)
            neighbours += try dump(request, of: RTM_NEWNEIGH) {
                payload throws(NetlinkParseError) in try Neighbour(payload)
            }
        }
        return neighbours
    }

    /// The number by which this namespace knows another, as `Link.peerNamespace` shows it; nil when
    /// they share no link.
    ///
    /// The request is RTM_GETNSID.
    public mutating func number(
        of namespace: borrowing NetworkNamespace
    ) throws(SystemError) -> Int32? {
        var request = NetlinkRequest("RTM_GETNSID", type: RTM_GETNSID, flags: NLM_F_ACK)
        request.append(zeros: 4)
        request.append(NETNSA_FD, namespace.descriptor.rawValue)
        let answer = try exchange(request) { _, payload throws(NetlinkParseError) in
            try payload.dropFirst(4).attribute(NETNSA_NSID)?.number(at: 0) as Int32?
        }
        return answer.values.first.flatMap { $0 >= 0 ? $0 : nil }
    }
}

extension RouteSocket {
    /// Asks until an answer comes that no change cut through.
    mutating func dump<Value>(
        _ request: NetlinkRequest, of type: Int,
        _ parse: @escaping (ArraySlice<UInt8>) throws(NetlinkParseError) -> Value?
    ) throws(SystemError) -> [Value] {
        for _ in 0..<32 {
            let answer = try exchange(request) { found, payload throws(NetlinkParseError) in
                Int(found) == type ? try parse(payload) : nil
            }
            if !answer.wasInterrupted { return answer.values }
        }
        throw SystemError("recv", on: "\(request.name): changed 32 times meanwhile", code: EINTR)
    }

    /// Sends one request and collects its answer.
    mutating func exchange<Value>(
        _ request: NetlinkRequest, parse: @escaping NetlinkAnswer<Value>.Parse
    ) throws(SystemError) -> NetlinkAnswer<Value> {
        sequence &+= 1
        try socket.send(request.bytes(sequence: sequence))
        var answer = NetlinkAnswer(to: sequence, parse: parse)
        while !answer.isComplete {
            let bytes = try socket.receive()
            do throws(NetlinkParseError) {
                try answer.append(bytes)
            } catch {
                throw SystemError(request.name, on: "\(error)", code: EBADMSG)
            }
        }
        if let refusal = answer.refusal {
            let words = [request.subject, refusal.text].compactMap(\.self)
            throw SystemError(
                request.name, on: words.isEmpty ? nil : words.joined(separator: ": "),
                code: refusal.code)
        }
        return answer
    }
}
