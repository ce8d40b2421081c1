import CBPF
import HostRules
import NetTypes
import TestSupport
@testable import HostFilter
@testable import Verifier

/// One change to what the host filter holds, made behind the agent's back.
struct HostMutation {
    let kind: String
    /// Whether it can alter no packet's fate; nil is to be found out.
    var isHarmless: Bool?
    let make: () throws -> Void
    let undo: () throws -> Void
}

/// Chooses changes.
struct HostMutator {
    let ground: HostGround

    var maps: Maps { ground.filter.maps }

    /// A change of any kind; nil where the maps have nothing for that kind.
    func mutation(_ random: inout SeededGenerator) throws -> HostMutation? {
        switch random.number(0...28) {
        case 0, 1, 2, 3, 4: program(&random)
        case 5, 6: try stray(&random)
        case 7: try seeds(&random)
        case 8, 9: try local(&random)
        case 10, 11, 12: try endpoint(&random)
        case 13, 14, 15: try peer(&random)
        case 16, 17: try network(&random)
        case 18: try shape(&random)
        case 19, 20, 21: try admission(&random)
        case 22, 23: try rule(&random)
        case 24, 25: try flow(&random)
        case 26, 27: try judgement(&random)
        default: try idle(&random)
        }
    }

    /// Writes an entry, or takes it away, and puts it right again.
    func change<Key, Value>(
        _ kind: String, _ key: Key, _ value: Value?, isHarmless: Bool? = nil,
        _ read: (Key) throws -> Value?, _ put: @escaping (Key, Value?) throws -> Void
    ) throws -> HostMutation {
        let before = try read(key)
        let filter = ground.filter
        return HostMutation(
            kind: kind, isHarmless: isHarmless,
            make: {
                try put(key, value)
                try filter.renew()
            },
            undo: {
                try put(key, before)
                try filter.renew()
            })
    }
}

/// Who is who.
extension HostMutator {
    private func local(_ random: inout SeededGenerator) throws -> HostMutation? {
        let isRemoved = random.once(in: 2)
        let all = try maps.locals.entries().map(\.key)
        let foreign: [IPAddress] = [.v4(0x0a01_0020), .v4(0x0a02_0001), .v6(0xfd00_0001 << 96 | 9)]
        let key = isRemoved ? random.pick(all) : rf_address(random.pick(foreign))
        return try change(
            isRemoved ? "local removed" : "local added", key, isRemoved ? nil : 1,
            { try maps.locals.value(of: $0) }, { [maps] in try maps.locals.put($1, for: $0) })
    }

    private func endpoint(_ random: inout SeededGenerator) throws -> HostMutation? {
        let interface = random.pick(ground.posts).interface
        guard var entry = try maps.endpoints.value(of: interface) else { return nil }
        var kind = "endpoint removed"
        var isHarmless: Bool? = false
        var isRemoved = false
        switch random.number(0...6) {
        case 0: isRemoved = true
        case 1:
            kind = "number moved"
            entry.number = entry.number % UInt32(ground.posts.count) + 1
        case 2:
            kind = "link address moved"
            entry.mac.5 ^= 0x40
        case 3:
            kind = "own address moved"
            guard entry.address_count > 0 else { return nil }
            let address = rf_address(.v4(0x0a01_0021))
            entry.addresses = (address, address, address, address)
        case 4:
            kind = "own address added"
            guard entry.address_count > 0, entry.address_count < 4 else { return nil }
            entry.addresses.3 = rf_address(.v4(0x0a01_0022))
        case 5:
            (kind, isHarmless) = ("all shapes cleared", nil)
            entry.shapes = (0, 0)
        default:
            (kind, isHarmless) = ("budgets changed", true)
            entry.flow_budget += 1
            entry.refusal_budget += 1
        }
        return try change(
            kind, interface, isRemoved ? nil : entry, isHarmless: isHarmless,
            { try maps.endpoints.value(of: $0) }, { [maps] in try maps.endpoints.put($1, for: $0) })
    }

    private func peer(_ random: inout SeededGenerator) throws -> HostMutation? {
        let all = try maps.peers.entries()
        guard !all.isEmpty else { return nil }
        var key = random.pick(all.map(\.key))
        let peerClass = random.pick(
            all.filter { $0.key.endpoint == key.endpoint }.map(\.value))
        var kind = "peer moved"
        var value: UInt32? = peerClass
        switch random.number(0...2) {
        case 0: (kind, value) = ("peer removed", nil)
        case 1:
            kind = "peer widened"
            if let address = key.key.address { key.address = rf_address(address.neighbour) }
        default: break
        }
        return try change(
            kind, key, value, { try maps.peers.value(of: $0) },
            { [maps] in try maps.peers.put($1, for: $0) })
    }

    private func network(_ random: inout SeededGenerator) throws -> HostMutation? {
        let all = try maps.networks.entries()
        guard !all.isEmpty else { return nil }
        var key = random.pick(all.map(\.key))
        var value: UInt32? = random.pick(
            all.filter { $0.key.number == key.number }.map(\.value))
        var kind = "network moved"
        switch random.number(0...2) {
        case 0: (kind, value) = ("network removed", nil)
        case 1:
            kind = "network widened"
            key.prefix_length -= key.prefix_length > 36 ? UInt32(random.number(1...4)) : 0
        default: break
        }
        return try change(
            kind, key, value, { try maps.networks.exact($0) },
            { [maps] in try maps.networks.put($1, for: $0) })
    }
}

extension BPFMap {
    /// Writes an entry, or takes it away.
    func put(_ value: Value?, for key: Key) throws {
        if let value { try set(value, for: key) } else { try remove(key) }
    }
}

extension BPFMap where Key == rf_network_key {
    /// The entry of just this prefix: a look-up gives the longest one that covers it.
    fileprivate func exact(_ key: Key) throws -> Value? {
        let wanted = key.canonical
        return try entries().first { $0.key.canonical == wanted }?.value
    }
}

extension rf_network_key {
    fileprivate var canonical: [UInt128] {
        let bits = UInt128(prefix_length)
        let mask: UInt128 = bits <= 32 ? 0 : bits >= 160 ? .max : ~(.max >> (bits - 32))
        return [bits, UInt128(endpoint), address.number & mask]
    }
}

extension IPAddress {
    fileprivate var neighbour: IPAddress {
        switch self {
        case .v4(let number): .v4(number ^ 1)
        case .v6(let number): .v6(number ^ 1)
        }
    }
}
