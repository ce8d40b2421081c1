internal import CNetfilter
internal import Linux
internal import NetTypes
public import Rules

/// What an answer that nobody read says of rules that went: an agent was killed before it could.
public struct Leftover: Sendable {
    /// Tells the datagram from others, as `EndpointTable.Witness` was told.
    public let digest: UInt64
    /// The rules that went, as their elements' comments name them.
    public let rules: [Mark: LiveRule]
    /// What they had counted when they went.
    public let counts: [Mark: RuleCount]
}

extension EndpointTable {
    /// Empties a socket that another process left, and adds what is told nowhere else; an error
    /// leaves what was taken by then.
    public func takeLeftovers(into leftovers: inout [Leftover]) throws(NftablesError) {
        while let datagram = try receiveAnything() {
            let retired = Retired(in: datagram)
            guard !retired.rules.isEmpty else { continue }
            leftovers.append(
                Leftover(
                    digest: Self.digest(of: datagram), rules: Self.comments(in: datagram),
                    counts: retired.rules))
        }
    }

    /// The next datagram; what was lost before it stays lost.
    private func receiveAnything() throws(NftablesError) -> [UInt8]? {
        do throws(SystemError) {
            return try commands.receive()
        } catch {
            guard error.code == Self.overflow else { throw .socket(error) }
            return try receiveAnything()
        }
    }

    private static func comments(in datagram: [UInt8]) -> [Mark: LiveRule] {
        var rules: [Mark: LiveRule] = [:]
        for message in Message.all(in: datagram[...]) where message.isDeletion {
            for element in ReadElement.all(in: CollectionOfOne(message)) {
                rules[element.hostMark] = element.comment.flatMap { LiveRule(comment: $0) }
            }
        }
        return rules
    }

    static func digest(of datagram: [UInt8]) -> UInt64 {
        var digest = Digest()
        for byte in datagram { digest.combine(byte: byte) }
        return digest.value
    }

    /// ENOBUFS.
    private static let overflow: Int32 = 105
}

extension EndpointTable.Retired {
    /// What the deletions of one datagram say.
    init(in datagram: [UInt8]) {
        self.init()
        for message in Message.all(in: datagram[...]) where message.isDeletion { credit(message) }
    }
}

extension Message {
    /// Whether it tells of set elements that went.
    var isDeletion: Bool { nfTablesType == UInt16(NFT_MSG_DELSETELEM.rawValue) }
}
