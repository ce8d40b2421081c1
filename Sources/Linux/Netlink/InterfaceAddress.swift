private import CLinux
public import NetTypes

/// An address of a link.
public struct InterfaceAddress: Hashable, Sendable {
    /// The link's index.
    public let linkIndex: Int32
    /// The link's own address, never the other end's of a point-to-point link.
    public let address: IPAddress
    public let prefixLength: Int
    /// When the address was configured, in hundredths of a second since the boot.
    ///
    /// The kernel's word (`ifa_cacheinfo.cstamp`), which stays as long as the address does: nobody in the
    /// namespace can make it older.
    public let created: UInt64

    public init(linkIndex: Int32, address: IPAddress, prefixLength: Int, created: UInt64 = 0) {
        self.created = created
        self.linkIndex = linkIndex
        self.address = address
        self.prefixLength = prefixLength
    }
}

extension InterfaceAddress {
    private static let headerSize = 8

    /// Reads the payload of an RTM_NEWADDR message; nil for an address that another host was found
    /// to have, or of a family that is not IP.
    init?(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) {
        guard payload.count >= Self.headerSize else { throw .shortValue(length: payload.count) }
        prefixLength = Int(try payload.number(at: 1) as UInt8)
        linkIndex = try payload.number(at: 4)
        var flags = UInt32(try payload.number(at: 2) as UInt8)
        var own: IPAddress?
        var other: IPAddress?
        var created: UInt32 = 0
        var attributes = NetlinkAttributes(payload.dropFirst(Self.headerSize))
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case IFA_LOCAL: own = IPAddress(bytes: attribute.payload)
            case IFA_ADDRESS: other = IPAddress(bytes: attribute.payload)
            case IFA_CACHEINFO: created = try attribute.payload.number(at: 8)
            case IFA_FLAGS: flags = try attribute.payload.number(at: 0)
            default: break
            }
        }
        guard flags & UInt32(IFA_F_DADFAILED) == 0, let address = own ?? other else { return nil }
        self.address = address
        self.created = Uptime.moment(of: created)
    }
}
