private import CLinux
private import Glibc

/// A link of the namespace in which it was read.
public struct Link: Hashable, Sendable {
    public let index: Int32
    public var name = ""
    /// `veth`, `bridge` and so on; nil for a plain device.
    public var kind: String?
    /// 6 bytes on Ethernet.
    public var hardwareAddress: [UInt8] = []
    /// Whether an operator has switched it on; a cable may still be missing.
    public let isUp: Bool
    /// The other end's index in its own namespace; a veth has one.
    public var peerIndex: Int32?
    /// The number by which the reading namespace knows the other end's; nil when it is the same.
    public var peerNamespace: Int32?
    /// The link that bridges or bonds it.
    public var controllerIndex: Int32?
    /// The number by which the reading namespace knows the namespace of the link below it, such as a macvlan's
    /// parent; nil for a veth, and where the link below is in the same namespace.
    public var lowerNamespace: Int32?
    /// The index of the link below it, in its own namespace; nil for a veth.
    public var lowerIndex: Int32?
}

extension Link {
    private static let headerSize = 16

    /// Reads the payload of an RTM_NEWLINK message.
    init(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) {
        guard payload.count >= Self.headerSize else { throw .shortValue(length: payload.count) }
        index = try payload.number(at: 4)
        let flags: UInt32 = try payload.number(at: 8)
        isUp = flags & 1 != 0
        var attributes = NetlinkAttributes(payload.dropFirst(Self.headerSize))
        while let attribute = try attributes.next() { try read(attribute) }
        // Other kinds keep the link below them there, in the same attribute.
        if kind != "veth", kind != "netkit" {
            (lowerIndex, lowerNamespace) = (peerIndex, peerNamespace)
            peerIndex = nil
        }
        if peerIndex == nil { peerNamespace = nil }
        if lowerIndex == nil { lowerNamespace = nil }
    }

    private mutating func read(_ attribute: NetlinkAttribute) throws(NetlinkParseError) {
        switch Int(attribute.type) {
        case IFLA_IFNAME: name = attribute.payload.zeroTerminatedText
        case IFLA_ADDRESS: hardwareAddress = Array(attribute.payload)
        case IFLA_LINK: peerIndex = try attribute.payload.number(at: 0)
        case IFLA_LINK_NETNSID: peerNamespace = try attribute.payload.number(at: 0)
        case IFLA_MASTER: controllerIndex = try attribute.payload.number(at: 0)
        case IFLA_LINKINFO:
            kind = try attribute.payload.attribute(IFLA_INFO_KIND)?.zeroTerminatedText
        default: break
        }
    }
}
