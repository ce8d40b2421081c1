internal import CBPF
internal import HostRules
internal import NetTypes
internal import Rules

/// What the programs know of an endpoint without a look for it.
struct EndpointProfile: Hashable {
    /// Every address that it may send from, ascending; empty if they are too many for this place.
    let addresses: [IPAddress]
    /// All shapes of its admissions.
    let shapes: [Direction: UInt32]
}

extension HostEntries {
    var profile: EndpointProfile {
        var all: [Direction: UInt32] = [:]
        for (key, shape) in shapes { all[key.direction, default: 0] |= shape }
        return EndpointProfile(
            addresses: own.count > Int(RF_ADDRESSES) ? [] : own.sorted(), shapes: all)
    }
}

extension rf_endpoint {
    init(_ profile: EndpointProfile) {
        self.init()
        address_count = UInt16(profile.addresses.count)
        shapes = (profile.shapes[.ingress] ?? 0, profile.shapes[.egress] ?? 0)
        guard let last = profile.addresses.last else { return }
        withUnsafeMutableBytes(of: &addresses) { bytes in
            let places = bytes.bindMemory(to: rf_address.self)
            for index in places.indices {
                let isUsed = index < profile.addresses.count
                places[index] = rf_address(isUsed ? profile.addresses[index] : last)
            }
        }
    }
}
