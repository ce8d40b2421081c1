private import CLinux
public import NetTypes

/// Changes to the links, addresses and routes of the socket's namespace.
extension RouteSocket {
    /// Makes a bridge without spanning tree, which forwards at once.
    ///
    /// The request is RTM_NEWLINK.
    public mutating func addBridge(
        _ name: String, index: Int32, hardwareAddress: [UInt8]
    ) throws(SystemError) {
        var request = linkRequest(index: index, flags: NLM_F_CREATE | NLM_F_EXCL, name)
        request.append(IFLA_IFNAME, name)
        request.append(IFLA_ADDRESS, bytes: hardwareAddress)
        request.append(nest: IFLA_LINKINFO) { $0.append(IFLA_INFO_KIND, "bridge") }
        try perform(request)
    }

    /// Makes a pair of links: the near one is up, the far one is in another namespace and down.
    ///
    /// The request is RTM_NEWLINK.
    public mutating func addPair(
        _ name: String, index: Int32, far: String, farIndex: Int32,
        in namespace: borrowing NetworkNamespace, controller: Int32? = nil
    ) throws(SystemError) {
        var request = linkRequest(index: index, flags: NLM_F_CREATE | NLM_F_EXCL, name, isUp: true)
        request.append(IFLA_IFNAME, name)
        if let controller { request.append(IFLA_MASTER, controller) }
        let descriptor = namespace.descriptor.rawValue
        request.append(nest: IFLA_LINKINFO) { request in
            request.append(IFLA_INFO_KIND, "veth")
            request.append(nest: IFLA_INFO_DATA) { request in
                request.append(nest: VETH_INFO_PEER) { request in
                    request.appendLinkHeader(index: farIndex, isUp: false)
                    request.append(IFLA_IFNAME, far)
                    request.append(IFLA_NET_NS_FD, descriptor)
                }
            }
        }
        try perform(request)
    }

    /// Switches a link on, if asked for without an IPv6 address of its own making.
    ///
    /// The request is RTM_NEWLINK.
    public mutating func setUp(
        index: Int32, withoutLinkLocal: Bool = false
    ) throws(SystemError) {
        var request = linkRequest(index: index, flags: 0, "link \(index)", isUp: true)
        if withoutLinkLocal {
            request.append(nest: IFLA_AF_SPEC) { request in
                request.append(nest: Int(AddressFamily.v6.number)) { request in
                    request.append(
                        IFLA_INET6_ADDR_GEN_MODE, UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue))
                }
            }
        }
        try perform(request)
    }

    /// Removes a link, and with it the other end of a pair.
    ///
    /// The request is RTM_DELLINK.
    public mutating func removeLink(index: Int32) throws(SystemError) {
        var request = NetlinkRequest(
            "RTM_DELLINK", type: RTM_DELLINK, flags: NLM_F_ACK, subject: "link \(index)")
        request.appendLinkHeader(index: index, isUp: false)
        try perform(request)
    }

    /// Gives a link an address, usable at once.
    ///
    /// The request is RTM_NEWADDR.
    public mutating func addAddress(
        _ address: IPAddress, prefixLength: Int, index: Int32
    ) throws(SystemError) {
        var request = NetlinkRequest(
            "RTM_NEWADDR", type: RTM_NEWADDR, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            subject: "\(address)/\(prefixLength)")
        request.append(field: address.family.number)
        request.append(field: UInt8(prefixLength))
        request.append(zeros: 2)
        request.append(field: index)
        request.append(IFA_LOCAL, bytes: address.bytes)
        request.append(IFA_ADDRESS, bytes: address.bytes)
        if address.family == .v6 { request.append(IFA_FLAGS, UInt32(IFA_F_NODAD)) }
        try perform(request)
    }

    /// Removes an address from a link.
    ///
    /// The request is RTM_DELADDR.
    public mutating func removeAddress(
        _ address: IPAddress, prefixLength: Int, index: Int32
    ) throws(SystemError) {
        var request = NetlinkRequest(
            "RTM_DELADDR", type: RTM_DELADDR, flags: NLM_F_ACK, subject: "\(address)")
        request.append(field: address.family.number)
        request.append(field: UInt8(prefixLength))
        request.append(zeros: 2)
        request.append(field: index)
        request.append(IFA_LOCAL, bytes: address.bytes)
        try perform(request)
    }

    /// Adds a route to the main table, through a link and perhaps a gateway on it that need not be
    /// in a network of the link.
    ///
    /// The request is RTM_NEWROUTE.
    public mutating func addRoute(
        to destination: Prefix, via gateway: IPAddress? = nil, index: Int32
    ) throws(SystemError) {
        var request = NetlinkRequest(
            "RTM_NEWROUTE", type: RTM_NEWROUTE, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            subject: "\(destination)")
        request.append(field: destination.address.family.number)
        request.append(field: UInt8(destination.length))
        request.append(zeros: 2)
        let scope = gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
        for part in [
            UInt8(RT_TABLE_MAIN.rawValue), UInt8(RTPROT_STATIC), UInt8(scope.rawValue),
            UInt8(RTN_UNICAST),
        ] {
            request.append(field: part)
        }
        request.append(field: UInt32(gateway == nil ? 0 : RTNH_F_ONLINK))
        if destination.length > 0 {
            request.append(Int(RTA_DST.rawValue), bytes: destination.address.bytes)
        }
        if let gateway { request.append(Int(RTA_GATEWAY.rawValue), bytes: gateway.bytes) }
        request.append(Int(RTA_OIF.rawValue), index)
        try perform(request)
    }

    private mutating func perform(_ request: NetlinkRequest) throws(SystemError) {
        _ = try exchange(request) { _, _ throws(NetlinkParseError) -> Never? in nil }
    }

    private func linkRequest(
        index: Int32, flags: CInt, _ subject: String, isUp: Bool = false
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            "RTM_NEWLINK", type: RTM_NEWLINK, flags: NLM_F_ACK | flags, subject: subject)
        request.appendLinkHeader(index: index, isUp: isUp)
        return request
    }
}

extension NetlinkRequest {
    fileprivate mutating func appendLinkHeader(index: Int32, isUp: Bool) {
        append(zeros: 4)
        append(field: index)
        append(field: UInt32(isUp ? 1 : 0))
        append(field: UInt32(isUp ? 1 : 0))
    }
}

extension AddressFamily {
    /// AF_INET or AF_INET6.
    var number: UInt8 { self == .v4 ? 2 : 10 }
}
