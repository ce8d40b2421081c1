/// An nf_tables expression with its meaning; numbers are those of linux/netfilter/nf_tables.h.
///
/// Registers are given by the byte at which they start: NFT_REG32_00, and NFT_REG_1 with it, at 0.
public enum Expression: Hashable, Sendable {
    case payload(PayloadBase, offset: Int, length: Int, into: Int)
    case setPayload(PayloadBase, offset: Int, length: Int, from: Int)
    case meta(UInt32, into: Int)
    case setMeta(UInt32, from: Int)
    case ct(UInt32, CtDirection?, into: Int)
    case setCt(UInt32, from: Int)
    case compare(Comparison, Int, [UInt8])
    case range(Int, from: [UInt8], to: [UInt8], inverted: Bool)
    case mask(from: Int, into: Int, mask: [UInt8], flip: [UInt8])
    case shift(left: Bool, from: Int, into: Int, length: Int, bits: Int)
    /// Reverses the bytes of each part of so many bytes.
    case byteorder(from: Int, into: Int, length: Int, part: Int)
    /// Looks into a set; with `into`, takes the value, and -1 stands for the verdict.
    case lookup(String, key: Int, into: Int?, inverted: Bool)
    case load([UInt8], into: Int)
    case verdict(RuleVerdict)
    case reject
    /// Changes nothing about a packet's fate: counters, logs, and the like.
    case harmless(String)
    /// Matches by a state that is no property of the packet: rates, quotas, random numbers.
    case sometimes(String)
    /// A value that is no property of the packet.
    case unknowable(String, length: Int, into: Int)
    /// Changes a set; matches or not, by how full the set is.
    case dynset(String, key: Int, deletes: Bool, inverted: Bool)
    /// Takes the packet out of connection tracking.
    case notrack
    case translate(Translation)
    /// A header option or extension: a value, or whether it is there.
    case header(kind: UInt32, type: UInt8, offset: Int, length: Int, isPresence: Bool, into: Int)
    /// What is not understood, by its name in the kernel.
    case unknown(String)

    /// NFT_PAYLOAD_*.
    public enum PayloadBase: UInt32, Hashable, Sendable {
        case link = 0
        case network = 1
        case transport = 2
        case inner = 3
    }

    /// IP_CT_DIR_*.
    public enum CtDirection: UInt8, Hashable, Sendable {
        case original = 0
        case reply = 1
    }

    /// NFT_CMP_*; values are compared like `memcmp` does.
    public enum Comparison: UInt32, Hashable, Sendable {
        case equal = 0
        case notEqual = 1
        case less = 2
        case atMost = 3
        case greater = 4
        case atLeast = 5
    }

    /// A change of addresses or ports, taken over by the flow.
    public struct Translation: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            case source
            case destination
            case masquerade
            case redirect
        }

        public let kind: Kind
        /// NFPROTO_IPV4 or NFPROTO_IPV6, where the address is of one.
        public let family: UInt8?
        /// The registers of the lowest and the highest address or port.
        public let address: (low: Int, high: Int)?
        public let port: (low: Int, high: Int)?

        public init(
            kind: Kind, family: UInt8?, address: (low: Int, high: Int)?,
            port: (low: Int, high: Int)?
        ) {
            self.kind = kind
            self.family = family
            self.address = address
            self.port = port
        }

        public static func == (left: Translation, right: Translation) -> Bool {
            left.kind == right.kind && left.family == right.family
                && left.address?.low == right.address?.low
                && left.address?.high == right.address?.high
                && left.port?.low == right.port?.low && left.port?.high == right.port?.high
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(kind)
            hasher.combine(address?.low)
            hasher.combine(port?.low)
        }
    }
}

/// What a rule or an element says about a packet.
public enum RuleVerdict: Hashable, Sendable {
    case accept
    case drop
    case goOn
    case jump(String)
    case goTo(String)
    case back
    /// Another program decides.
    case queue
}
