private import CLinux
private import Glibc
public import NetTypes

/// A link-layer address that a namespace knows behind one of its links: an entry of a neighbour table, or of a
/// bridge's forwarding database.
public struct Neighbour: Hashable, Sendable {
    /// The index of the link; of a bridge's entry that of the port.
    public let link: Int32
    /// The index of the bridge; nil for an entry of a neighbour table.
    public let bridge: Int32?
    /// Nil for a bridge's entry.
    public let address: IPAddress?
    /// 6 bytes on Ethernet.
    public let hardwareAddress: [UInt8]
}

extension Neighbour {
    private static let headerSize = 12

    /// Reads the payload of an RTM_NEWNEIGH message; nil where no link-layer address is known, and for groups.
    init?(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) {
        guard payload.count >= Self.headerSize else { throw .shortValue(length: payload.count) }
        let state: UInt16 = try payload.number(at: 8)
        let unknown = UInt16(NUD_INCOMPLETE | NUD_FAILED)
        link = try payload.number(at: 4)
        var bridge: Int32?
        var address: IPAddress?
        var hardwareAddress: [UInt8] = []
        var attributes = NetlinkAttributes(payload.dropFirst(Self.headerSize))
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case Int(NDA_DST): address = IPAddress(bytes: attribute.payload)
            case Int(NDA_LLADDR): hardwareAddress = Array(attribute.payload)
            case Int(NDA_MASTER): bridge = try attribute.payload.number(at: 0)
            default: break
            }
        }
        guard state & unknown == 0, hardwareAddress.first.map({ $0 & 1 == 0 }) ?? false
        else { return nil }
        self.bridge = bridge
        self.address = address
        self.hardwareAddress = hardwareAddress
    }
}
