import Foundation
import Glibc
import Linux
import NetTypes
import Policy
import Rules

/// A table of the test's own behind the one under test, made and read by `nft` alone: it tells
/// which packets came through.
struct Observer {
    /// What happens to the packets that came through.
    enum Mode: String {
        /// They go on, so their flows become known.
        case accept
        /// They end here, so every packet is the first of its flow.
        case drop
    }

    private let command: NamespaceCommand

    init(in namespace: borrowing NetworkNamespace, _ mode: Mode) throws {
        command = NamespaceCommand(namespace)
        try command.run("nft -f -", input: Self.ruleset(mode))
    }

    /// The numbers of the packets that came through since the last look.
    func passed() throws -> Passed {
        let text = try command.run("nft -j list table inet observer; nft -f -", input: Self.flush)
        return try JSONDecoder().decode(Passed.self, from: Data(text.utf8))
    }

    private static let sets = ["ingress_v4", "ingress_v6", "egress_v4", "egress_v6"]

    private static let flush = sets.map { "flush set inet observer \($0)\n" }.joined()

    private static func ruleset(_ mode: Mode) -> String {
        let sets = sets.map { set in
            let number = set.hasSuffix("v4") ? "ip id" : "ip6 flowlabel"
            return "set \(set) { typeof \(number); flags dynamic; size 65535; }"
        }
        // What the namespace itself sends has another time to live.
        let lives = [(Packet.Life.ordinary, mode), (.lasting, .accept)]
        let numbers = ["ingress": "input", "egress": "output"].map { direction, hook in
            let lines = lives.map { life, mode in
                """
                  ip ttl \(life.rawValue) update @\(direction)_v4 { ip id } \(mode)
                  ip6 hoplimit \(life.rawValue) update @\(direction)_v6 { ip6 flowlabel } \(mode)
                """
            }
            return """
                chain \(hook) {
                  type filter hook \(hook) priority 100
                \(lines.joined(separator: "\n"))
                }
                """
        }
        let silence = mode == .drop ? [silence] : []
        return "table inet observer {\n\((sets + silence + numbers).joined(separator: "\n"))\n}\n"
    }
}

extension Observer {
    /// Nothing that the namespace says to packets that went on, before anybody judges it.
    private static var silence: String {
        let (first, last) = (Packet.Life.ordinary.rawValue, Packet.Life.lasting.rawValue)
        return """
            chain silence {
              type filter hook output priority -500
              ip ttl != \(first)-\(last) drop
              ip6 hoplimit != \(first)-\(last) drop
            }
            """
    }
}

/// Packets by direction, family and number.
struct Passed: Decodable {
    private var numbers: [String: Set<UInt16>] = [:]

    func contains(_ packet: Packet, _ direction: Direction) -> Bool {
        contains(packet.number, packet.source.family, direction)
    }

    func contains(_ number: UInt16, _ family: AddressFamily, _ direction: Direction) -> Bool {
        numbers["\(direction)_\(family == .v4 ? "v4" : "v6")"]?.contains(number) ?? false
    }

    var count: Int { numbers.values.reduce(0) { $0 + $1.count } }

    private struct Listing: Decodable {
        struct Object: Decodable { let set: Found? }
        struct Found: Decodable {
            let name: String
            let elem: [UInt32]?
        }
        let nftables: [Object]
    }

    init(from decoder: any Decoder) throws {
        for set in try Listing(from: decoder).nftables.compactMap(\.set) {
            numbers[set.name] = Set((set.elem ?? []).map { UInt16(truncatingIfNeeded: $0) })
        }
    }
}
