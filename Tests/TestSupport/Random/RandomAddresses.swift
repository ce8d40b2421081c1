public import NetTypes

extension SeededGenerator {
    /// A network around or near an address of the small world.
    public mutating func prefix() -> Prefix {
        let address = once(in: 6) ? anywhere() : pick(SmallWorld().addresses)
        let lengths =
            address.family == .v4
            ? [0, 1, 8, 15, 16, 23, 24, 25, 26, 30, 31, 32]
            : [0, 1, 3, 8, 16, 31, 32, 48, 63, 64, 65, 120, 126, 127, 128]
        let prefix = Prefix(containing: address, length: pick(lengths))
        // Policy files can't name networks that no packet has an address of.
        let isRefused = prefix.isLoopback || prefix.mappedIPv4 != nil
        return isRefused ? Prefix(containing: address, length: 1) : prefix
    }

    /// A network of at most the same size inside.
    public mutating func prefix(inside outer: Prefix) -> Prefix {
        let greatest = outer.address.family == .v4 ? 32 : 128
        let length = number(outer.length...min(greatest, outer.length + pick([1, 2, 8, 96])))
        let near = SmallWorld().addresses.filter(outer.contains)
        let address =
            near.isEmpty || once(in: 3) ? address(inside: outer) : pick(near)
        return Prefix(containing: address, length: length)
    }

    public mutating func address(inside prefix: Prefix) -> IPAddress {
        switch prefix.address {
        case .v4(let low):
            let mask = prefix.length == 0 ? UInt32.max : UInt32.max >> UInt32(prefix.length)
            return .v4(low | UInt32(truncatingIfNeeded: next()) & (prefix.length == 32 ? 0 : mask))
        case .v6(let low):
            let mask = prefix.length == 0 ? UInt128.max : UInt128.max >> UInt128(prefix.length)
            let random = UInt128(next()) << 64 | UInt128(next())
            return .v6(low | random & (prefix.length == 128 ? 0 : mask))
        }
    }

    public mutating func anywhere() -> IPAddress {
        address(inside: once(in: 2) ? .all(.v4) : .all(.v6))
    }
}
