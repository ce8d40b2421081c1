internal import CBPF
internal import HostRules
internal import NetTypes
internal import Rules

extension rf_address {
    /// As the programs hold it: IPv4 mapped into IPv6.
    init(_ address: IPAddress?) {
        self.init()
        guard let address else { return }
        let bytes: [UInt8] =
            switch address {
            case .v4: Array(repeating: 0, count: 10) + [0xff, 0xff] + address.bytes
            case .v6: address.bytes
            }
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    /// The address again.
    var address: IPAddress? {
        let all = withUnsafeBytes(of: words) { Array($0) }
        let isMapped = all.prefix(10).allSatisfy { $0 == 0 } && all[10] == 0xff && all[11] == 0xff
        return isMapped ? IPAddress(bytes: all.dropFirst(12)) : IPAddress(bytes: all)
    }
}

extension Direction {
    var number: UInt32 { UInt32(self == .ingress ? RF_INGRESS.rawValue : RF_EGRESS.rawValue) }

    init(number: UInt32) { self = number == RF_INGRESS.rawValue ? .ingress : .egress }
}

extension rf_peer_key {
    init(_ key: HostEntries.PeerKey, at endpoint: UInt32) {
        self.init(endpoint: endpoint, source: key.sender, address: rf_address(key.address))
    }

    var key: HostEntries.PeerKey {
        let isAny = withUnsafeBytes(of: address.words) { $0.allSatisfy { $0 == 0 } }
        return .init(sender: source, address: isAny ? nil : address.address)
    }
}

extension rf_network_key {
    init(_ prefix: Prefix, at endpoint: UInt32) {
        let isV4 = prefix.address.family == .v4
        self.init(
            prefix_length: UInt32(32 + prefix.length + (isV4 ? 96 : 0)),
            endpoint: (endpoint | (isV4 ? UInt32(RF_NETWORK_V4) : 0)).bigEndian,
            address: rf_address(prefix.address))
    }

    var number: UInt32 { endpoint.bigEndian & ~UInt32(RF_NETWORK_V4) }

    var prefix: Prefix? {
        let isV4 = endpoint.bigEndian & UInt32(RF_NETWORK_V4) != 0
        let length = Int(prefix_length) - (isV4 ? 128 : 32)
        return address.address.map { Prefix(containing: $0, length: length) }
    }
}

extension rf_shape_key {
    init(_ key: HostEntries.ShapeKey, at endpoint: UInt32) {
        self.init(
            endpoint: endpoint, peer_class: key.peerClass.rawValue, direction: key.direction.number)
    }

    var key: HostEntries.ShapeKey {
        .init(peerClass: Mark(rawValue: peer_class), direction: Direction(number: direction))
    }
}

extension rf_admission_key {
    init(_ key: HostEntries.AdmissionKey, at endpoint: UInt32) {
        self.init(
            peer_class: key.peerClass.rawValue, port: key.port, protocol: key.ipProtocol,
            protocol_bits: key.protocolBits, endpoint: UInt16(truncatingIfNeeded: endpoint),
            port_bits: key.portBits, direction: UInt8(key.direction.number))
    }

    var key: HostEntries.AdmissionKey {
        .init(
            peerClass: Mark(rawValue: peer_class), direction: Direction(number: UInt32(direction)),
            ipProtocol: self.protocol, protocolBits: protocol_bits, port: port, portBits: port_bits)
    }
}
