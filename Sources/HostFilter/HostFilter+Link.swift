internal import CBPF
internal import Glibc
public import NetTypes

/// The host as the endpoints' links know it.
struct HostLink: Equatable {
    /// Its addresses: nothing else may speak for them.
    var addresses: Set<IPAddress> = []
    /// Interfaces beyond which there may be routers.
    var uplinks: Set<Int32> = []

    static let mostAddresses = 16_384
    static let mostUplinks = 4096
}

extension HostFilter {
    /// Tells the programs which addresses are the host's, and which interfaces routers may be behind.
    ///
    /// ARP and neighbour discovery about an address of the host, as about one of an endpoint, reach an endpoint only
    /// if the host itself sent them. Router advertisements come from the host or through an uplink.
    ///
    /// - Parameters:
    ///   - addresses: The host namespace's own addresses.
    ///   - uplinks: The indices of the host's interfaces that lead out of the host, and not into a namespace.
    /// - Throws: What the kernel refused, ENOSPC or E2BIG where there are too many; the next call goes on.
    public func setHost(
        addresses: some Sequence<IPAddress>, uplinks: some Sequence<Int32>
    ) throws(BPFError) {
        let wanted = HostLink(addresses: Set(addresses), uplinks: Set(uplinks))
        guard wanted != link else { return }
        link = nil
        for address in wanted.addresses { try maps.hostAddresses.set(1, for: rf_address(address)) }
        for index in wanted.uplinks { try maps.uplinks.set(1, for: UInt32(bitPattern: index)) }
        for key in try maps.hostAddresses.keys()
        where key.address.map({ !wanted.addresses.contains($0) }) ?? true {
            try maps.hostAddresses.remove(key)
        }
        for key in try maps.uplinks.keys() where !wanted.uplinks.contains(Int32(bitPattern: key)) {
            try maps.uplinks.remove(key)
        }
        link = wanted
    }

    /// The clock by which the programs know how long an endpoint has had an address.
    static var seconds: UInt32 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt32(truncatingIfNeeded: time.tv_sec)
    }
}
