public import Linux
public import Nftables
public import Verifier

/// Reads everything of nf_tables that a namespace holds, Ringfence's own and everybody else's.
///
/// It shares sockets and attributes with `Nftables`, and nothing of what that takes them to mean.
public struct RulesetReader: ~Copyable, Sendable {
    private let socket: NetfilterSocket

    /// Opens it in the calling thread's namespace.
    public init() throws(SystemError) { socket = try NetfilterSocket() }

    /// Opens it in another namespace.
    public init(in namespace: borrowing NetworkNamespace) throws(SystemError) {
        self = try namespace.run { () throws(SystemError) in try RulesetReader() }
    }

    /// Reads the whole; again, when something changed meanwhile.
    ///
    /// - Returns: The tables that have a chain on a hook, with all that they hold.
    /// - Throws: What the kernel refused, or that it never stood still.
    public func read() throws(NftablesError) -> Ruleset {
        for _ in 0..<20 {
            let before = try generation()
            let ruleset = try attempt()
            if try generation() == before { return ruleset }
        }
        throw .malformed("the ruleset changed 20 times while it was read")
    }

    private func generation() throws(NftablesError) -> UInt64 {
        let messages = try socket.answers(type: Wire.getGeneration, family: 0, isDump: false)
        return messages.first?.attributes.first(1)?.number ?? 0
    }

    private func attempt() throws(NftablesError) -> Ruleset {
        var builder = RulesetBuilder()
        for message in try ask(Wire.getTable) { builder.add(table: message) }
        for message in try ask(Wire.getChain) { builder.add(chain: message) }
        builder.dropTablesWithoutHooks()
        if builder.isEmpty { return Ruleset() }
        for message in try ask(Wire.getSet) { builder.add(set: message) }
        for set in builder.sets {
            let elements = try socket.answers(
                type: Wire.getElements, family: set.family.rawValue,
                names: [1: set.table, 2: set.name])
            builder.add(elements: elements, of: set)
        }
        for message in try ask(Wire.getRule) { builder.add(rule: message) }
        return builder.ruleset
    }

    private func ask(_ type: UInt16) throws(NftablesError) -> [Message] {
        try socket.answers(type: type, family: 0)
    }
}

/// Numbers of linux/netfilter/nf_tables.h.
enum Wire {
    /// NFT_MSG_GETTABLE and so on.
    static let getTable: UInt16 = 1
    static let getChain: UInt16 = 4
    static let getRule: UInt16 = 7
    static let getSet: UInt16 = 10
    static let getElements: UInt16 = 13
    static let getGeneration: UInt16 = 16
}
