internal import CNetfilter
internal import Linux
public import Rules

/// What a table counted, without the flows.
public struct TableTraffic: Hashable, Sendable {
    /// What passed by each live rule; rules that counted nothing are left out.
    public var rules: [Mark: Count] = [:]
    /// Every packet that was refused for a reason.
    public var totals: [Refusal: Count] = [:]

    public init() {}
}

extension EndpointTable {
    /// Reads what can be read at little cost: a host has thousands of tables, and somebody asks every
    /// few seconds.
    public func traffic() throws(NftablesError) -> TableTraffic {
        for _ in 0..<NetfilterSocket.mostAttempts {
            var traffic = TableTraffic()
            let rules = try commands.walk(
                NFT_MSG_GETSETELEM, build: Question.elements(of: Program.SetName.rules)
            ) { message in
                message.forEachElement {
                    guard let (mark, count) = $0.ruleCount, count.packets > 0 else { return }
                    traffic.rules[mark] = count
                }
            }
            let chains = try commands.walk(NFT_MSG_GETRULE, build: Question.rules) {
                $0.takeTotal(into: &traffic.totals)
            }
            if rules == .cutOff || chains == .cutOff { continue }
            if rules == .complete, chains == .complete { return traffic }
            if try isOwned() { return traffic }
        }
        throw .restless
    }
}

extension WalkedAttributes {
    /// The elements of a message of a set.
    fileprivate func forEachElement(_ body: (WalkedAttributes) -> Void) {
        guard let list = first(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) else { return }
        for element in list.nested { body(element.nested) }
    }

    /// The mark and the counter of an element of the live rules.
    fileprivate var ruleCount: (Mark, Count)? {
        var mark: Mark?
        var count: Count?
        for attribute in self {
            switch UInt32(attribute.type) {
            case NFTA_SET_ELEM_KEY.rawValue:
                let key = attribute.nested.first(NFTA_DATA_VALUE.rawValue)?.payload
                guard let key, key.count == 4 else { return nil }
                mark = Mark(rawValue: key.loadUnaligned(as: UInt32.self))
            case NFTA_SET_ELEM_EXPR.rawValue: count = attribute.nested.counter
            default: continue
            }
        }
        guard let mark, let count else { return nil }
        return (mark, count)
    }

    /// The packets and bytes of a counter expression.
    private var counter: Count? {
        guard let name = first(NFTA_EXPR_NAME.rawValue), name.payload.elementsEqual(Self.counter),
            let data = first(NFTA_EXPR_DATA.rawValue)?.nested
        else { return nil }
        return Count(
            packets: data.first(NFTA_COUNTER_PACKETS.rawValue)?.number ?? 0,
            bytes: data.first(NFTA_COUNTER_BYTES.rawValue)?.number ?? 0)
    }

    /// The name with the 0 behind it.
    private static let counter = Array("counter\0".utf8)

    /// Of a rule at the head of a refusal chain: its counter.
    fileprivate func takeTotal(into totals: inout [Refusal: Count]) {
        guard let chain = first(NFTA_RULE_CHAIN.rawValue)?.payload else { return }
        // All other chains have names of other lengths or letters.
        let name = String(decoding: chain.prefix { $0 != 0 }, as: UTF8.self)
        guard let reason = Refusal(rawValue: name), totals[reason] == nil,
            let list = first(NFTA_RULE_EXPRESSIONS.rawValue)?.nested
        else { return }
        for item in list {
            guard let count = item.nested.counter else { continue }
            totals[reason] = count
            return
        }
    }
}
