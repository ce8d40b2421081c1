extension Chain {
    /// The chain with what its devices mean as its first rule: packets of others pass it by.
    ///
    /// The kernel keeps such chains with each of the devices and asks them for nobody else
    /// (`nft_netdev_register_hooks`).
    var withDevices: Chain {
        guard let base, !base.devices.isEmpty else { return self }
        // In the family netdev 1 is NF_NETDEV_EGRESS; ingress is 0 there and 5 elsewhere.
        let name: UInt32 = base.hook == 1 ? Meta.outputName : Meta.inputName
        let others = base.devices.map { Expression.compare(.notEqual, 0, Self.pattern($0)) }
        let rule = TableRule(
            handle: 0, comment: "not on \(base.devices.joined(separator: ", "))",
            expressions: [.meta(name, into: 0)] + others + [.verdict(.accept)])
        return Chain(name: self.name, base: base, rules: [rule] + rules)
    }

    /// NFT_META_* of linux/netfilter/nf_tables.h.
    private enum Meta {
        static let inputName: UInt32 = 6
        static let outputName: UInt32 = 7
    }

    /// A name as registers hold it; of a prefix, which ends with a star, the bytes that count.
    private static func pattern(_ device: String) -> [UInt8] {
        if device.hasSuffix("*") { return Array(device.utf8.dropLast()) }
        let bytes = Array(device.utf8.prefix(15))
        return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
    }
}
