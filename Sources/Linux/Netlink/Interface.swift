/// A link with its addresses.
public struct Interface: Hashable, Sendable {
    public let link: Link
    /// In the kernel's order.
    public let addresses: [InterfaceAddress]

    init(link: Link, addresses: [InterfaceAddress]) {
        self.link = link
        self.addresses = addresses
    }
}
