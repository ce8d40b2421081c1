internal import CBPF
internal import HostRules
internal import Linux
internal import NetTypes
internal import Rules

extension HostFilter {
    /// Reads what the maps hold: the kernel is the truth about what an earlier agent left.
    func readBack() throws(BPFError) {
        for (interface, endpoint) in try maps.endpoints.entries() {
            numbers[endpoint.space] = endpoint.number
            posts[Int32(bitPattern: interface)] = Post(
                interface: Int32(bitPattern: interface), number: endpoint.number,
                hardwareAddress: withUnsafeBytes(of: endpoint.mac) { Array($0) })
        }
        for (key, _) in try maps.own.entries() {
            guard let address = key.address.address else { continue }
            held[key.endpoint, default: HostEntries()].own.insert(address)
        }
        for (key, peerClass) in try maps.peers.entries() {
            held[key.endpoint, default: HostEntries()].peers[key.key] = Mark(rawValue: peerClass)
        }
        for (key, peerClass) in try maps.networks.entries() {
            guard let prefix = key.prefix else { continue }
            held[key.number, default: HostEntries()].networks[prefix] = Mark(rawValue: peerClass)
        }
        for (key, shape) in try maps.shapes.entries() {
            held[key.endpoint, default: HostEntries()].shapes[key.key] = shape
        }
        for (key, admission) in try maps.admissions.entries() {
            held[UInt32(key.endpoint), default: HostEntries()].admissions[key.key] =
                Mark(rawValue: admission.mark)
        }
        for (address, number) in try maps.locals.entries() {
            if let address = address.address { locals[address] = number }
        }
        try readRules()
    }

    private func readRules() throws(BPFError) {
        for (slot, rule) in try maps.rules.entries().reversed() {
            guard rule != 0 else {
                freeSlots.append(slot)
                continue
            }
            let (number, mark) = (
                UInt32(rule >> 32), Mark(rawValue: UInt32(truncatingIfNeeded: rule))
            )
            slots[number, default: [:]][mark] = slot
            held[number, default: HostEntries()].rules.insert(mark)
        }
    }
}
