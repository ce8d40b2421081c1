internal import CNetfilter
internal import Linux

/// The chains on hooks that other tables of a namespace have.
public struct HookSurvey: Sendable {
    /// Chains by table; few of each, since who makes them can make any number.
    public var hooks: [TableName: Set<String>] = [:]
    /// Whether there are more than are named.
    public var isCut = false

    /// Nothing found yet.
    public init() {}

    static let mostTables = 256
    static let mostChains = 64

    mutating func take(_ message: Message) {
        guard TableChange.place(message.attributes) != nil,
            let table = message.attributes.first(UInt16(NFTA_CHAIN_TABLE.rawValue))?.text,
            let chain = message.attributes.first(UInt16(NFTA_CHAIN_NAME.rawValue))?.text,
            let family = message.payload.first
        else { return }
        let name = TableName(family: family, name: table)
        guard name != .own else { return }
        add([chain], to: name)
    }

    /// Adds chains as long as there is room for them.
    public mutating func add(_ chains: some Collection<String>, to table: TableName) {
        guard !chains.isEmpty else { return }
        guard hooks[table] != nil || hooks.count < Self.mostTables else {
            isCut = true
            return
        }
        for chain in chains {
            guard hooks[table, default: []].count < Self.mostChains else {
                isCut = true
                return
            }
            hooks[table, default: []].insert(chain)
        }
    }
}

extension RulesetMonitor {
    /// What a look at the chains of a namespace came to.
    public enum SurveyAnswer: Sendable {
        case complete(HookSurvey)
        /// Something changed meanwhile.
        case interrupted
        /// There are more chains than can be read in the time; the socket is of no use any more.
        case tooLong
    }

    /// Looks at all chains, on the socket that listens to nobody: `leave` comes before.
    ///
    /// The kernel counts through all chains again for each part of the answer, so whoever makes a million of
    /// them makes this take minutes. The message is NFT_MSG_GETCHAIN.
    ///
    /// - Parameter limit: How long it may take.
    /// - Returns: What was found, or why nothing can be said.
    /// - Throws: What the kernel refused.
    public func survey(within limit: Duration) throws(NftablesError) -> SurveyAnswer {
        let end = ContinuousClock.now + limit
        let type = Message.nfTables << 8 | UInt16(NFT_MSG_GETCHAIN.rawValue)
        try socket.ask(.init(type: type, family: 0), flags: NLM_F_DUMP) { _ in }
        var survey = HookSurvey()
        var isWhole = true
        do throws(SystemError) {
            while ContinuousClock.now < end {
                guard let datagram = try socket.receive() else {
                    guard try socket.wait(milliseconds: 100) else { return .tooLong }
                    continue
                }
                for message in Message.all(in: datagram[...])
                where message.sequence == NetfilterSocket.question {
                    if message.flags & NetfilterSocket.interrupted != 0 { isWhole = false }
                    if message.type == NetfilterSocket.done {
                        return isWhole ? .complete(survey) : .interrupted
                    }
                    if Acknowledgement(message) != nil { return .interrupted }
                    survey.take(message)
                }
            }
        } catch {
            throw .socket(error)
        }
        return .tooLong
    }
}
