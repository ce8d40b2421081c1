private import CLinux
private import Glibc

/// What one message of a `RouteMonitor` tells.
public enum RouteChange: Hashable, Sendable {
    /// A link is new, or has something about it that is.
    case link(Link)
    /// The link of this index is gone.
    case noLink(Int32)
    case address(InterfaceAddress)
    case noAddress(InterfaceAddress)
    /// A route is new, another or gone.
    case route(Route)
    /// Something that only a reading of everything tells.
    case unclear
}

extension RouteChange {
    /// Reads a message; nil for one that says nothing about links, addresses or where
    /// single hosts are.
    ///
    /// A bridge speaks of its ports in messages of the same type (`br_ifinfo_notify` in
    /// net/bridge/br_netlink.c): they say less of a link than its own messages, which come whenever
    /// the link changes, and one that says "deleted" speaks of the port only.
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        do throws(NetlinkParseError) {
            switch Int(message.type) {
            case RTM_NEWLINK, RTM_DELLINK:
                let family: UInt8 = try payload.number(at: 0)
                guard CInt(family) != AF_BRIDGE else { return nil }
                let link = try Link(payload)
                self = Int(message.type) == RTM_NEWLINK ? .link(link) : .noLink(link.index)
            case RTM_NEWADDR, RTM_DELADDR:
                // Of an address that another host has, nothing is known here.
                guard let address = try InterfaceAddress(payload) else {
                    self = .unclear
                    return
                }
                self =
                    Int(message.type) == RTM_NEWADDR ? .address(address) : .noAddress(address)
            case RTM_NEWROUTE, RTM_DELROUTE:
                guard let route = try Route(payload) else { return nil }
                self = .route(route)
            default: self = .unclear
            }
        } catch {
            self = .unclear
        }
    }
}
