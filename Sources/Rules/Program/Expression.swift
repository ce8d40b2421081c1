/// An nftables expression, as far as Ringfence's constant rules use them.
///
/// Numbers are those of linux/netfilter/nf_tables.h.
public enum Expression: Hashable, Sendable {
    case meta(MetaKey, into: Register)
    case ct(CtKey, CtDirection?, into: Register)
    /// Sets the mark of the packet's flow.
    case setCtMark(from: Register)
    case payload(PayloadBase, offset: UInt32, length: UInt32, into: Register)
    case compare(Comparison, Register, [UInt8])
    case mask(Register, with: [UInt8])
    /// A 32-bit number from host to network byte order.
    case toNetworkOrder(Register)
    /// A set's membership, or its complement.
    case member(of: String, key: Register, inverted: Bool)
    /// A map's value, as data or (register nil) as the verdict.
    case map(String, key: Register, into: Register?)
    case load([UInt8], into: Register)
    case verdict(Verdict)
    case counter
    case log(prefix: String, group: UInt16, snapLength: UInt32, queueThreshold: UInt16)
    /// Adds the key to a dynamic set, unless the set is full: then the rule doesn't match.
    case add(to: String, key: Register)

    public enum MetaKey: UInt32, Hashable, Sendable {
        case inputInterface = 4
        case outputInterface = 5
        /// ARPHRD_* of the input device; 16 bits in host byte order.
        case inputDeviceType = 8
        /// The user of the socket that sent the packet; there is none on what the kernel sends itself
        /// (`nft_meta_get_eval_skugid` in net/netfilter/nft_meta.c).
        case socketUser = 10
        case netfilterProtocol = 15
        case layer4Protocol = 16
    }

    public enum CtKey: UInt32, Hashable, Sendable {
        case state = 0
        case direction = 1
        case status = 2
        case mark = 3
        case ipProtocol = 10
        case sourcePort = 11
        case destinationPort = 12
        case source4 = 19
        case destination4 = 20
        case source6 = 21
        case destination6 = 22
    }

    public enum CtDirection: UInt8, Hashable, Sendable {
        case original = 0
        case reply = 1
    }

    public enum PayloadBase: UInt32, Hashable, Sendable {
        case link = 0
        case network = 1
        case transport = 2
    }

    public enum Comparison: UInt32, Hashable, Sendable {
        case equal = 0
        case notEqual = 1
        case atMost = 3
        case atLeast = 5
    }

    public enum Verdict: Hashable, Sendable {
        case accept
        case drop
        case goTo(String)
    }
}

/// One of the sixteen 32-bit words that a rule computes in.
public struct Register: Hashable, Sendable {
    /// 0 to 15.
    public let word: UInt32

    public init(word: UInt32) { self.word = word }

    /// The number that the kernel shows: 1 to 4 for a word that starts 16 bytes, else 8 to 23
    /// (enum nft_registers).
    public var number: UInt32 { word % 4 == 0 ? 1 + word / 4 : 8 + word }

    /// Reads either numbering; nil for the verdict and for what doesn't exist.
    public init?(number: UInt32) {
        switch number {
        case 1...4: word = (number - 1) * 4
        case 8...23: word = number - 8
        default: return nil
        }
    }
}
