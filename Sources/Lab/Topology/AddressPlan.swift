import NetTypes

/// Gives out a subnet's addresses in order.
struct AddressPlan {
    private let subnet: Prefix
    private var taken: Set<IPAddress>
    private var next: UInt128 = 1

    /// The first address is the host's; the taken ones are nobody else's either.
    init(_ subnet: Prefix, taken: Set<IPAddress>) {
        self.subnet = subnet
        self.taken = taken.union([subnet.gateway].compactMap(\.self))
    }

    /// The lowest address that is free; nil when there is none.
    mutating func take() -> IPAddress? {
        while let address = subnet.address(at: next) {
            next += 1
            if taken.insert(address).inserted { return address }
        }
        return nil
    }
}

extension Prefix {
    /// The host's address in the subnet.
    var gateway: IPAddress? { address(at: 1) }

    /// The address so far from the lowest; nil outside, or where IPv4 has its broadcast address.
    func address(at offset: UInt128) -> IPAddress? {
        switch address {
        case .v4(let first):
            guard let step = UInt32(exactly: offset), first <= UInt32.max - step else { return nil }
            let found = IPAddress.v4(first + step)
            let isBroadcast = length < 31 && step == UInt32.max >> UInt32(length)
            return contains(found) && !isBroadcast ? found : nil
        case .v6(let first):
            guard first <= UInt128.max - offset else { return nil }
            let found = IPAddress.v6(first + offset)
            return contains(found) ? found : nil
        }
    }
}
