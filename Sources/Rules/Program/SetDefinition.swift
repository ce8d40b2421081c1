/// A set or map of the table.
public struct SetDefinition: Hashable, Sendable {
    public let name: String
    /// The parts of the key; more than one is a concatenation.
    public let key: [Field]
    public let value: Value
    public let isInterval: Bool
    public let countsElements: Bool
    /// Filled by packets, up to this many elements; nil is filled by the agent.
    public let capacity: UInt32?

    public init(
        name: String, key: [Field], value: Value = .none, isInterval: Bool = false,
        countsElements: Bool = false, capacity: UInt32? = nil
    ) {
        self.name = name
        self.key = key
        self.value = value
        self.isInterval = isInterval
        self.countsElements = countsElements
        self.capacity = capacity
    }

    public enum Value: Hashable, Sendable {
        case none
        case mark
        case verdict
    }

    /// A part of a key: its type as `nft` knows it (include/datatype.h of nftables 1.0.6), and its
    /// length in bytes.
    public enum Field: UInt32, Hashable, Sendable {
        case ipv4 = 7
        case ipv6 = 8
        case ipProtocol = 12
        case port = 13
        case mark = 19

        public var length: UInt32 {
            switch self {
            case .ipv4, .mark: 4
            case .ipv6: 16
            case .ipProtocol: 1
            case .port: 2
            }
        }

        /// A part fills whole 32-bit words.
        public var paddedLength: UInt32 { (length + 3) & ~3 }
    }

    /// The type of the whole key: six bits a part.
    public var keyType: UInt32 { key.reduce(0) { $0 << 6 | $1.rawValue } }

    public var keyLength: UInt32 {
        key.count == 1 ? key[0].length : key.reduce(0) { $0 + $1.paddedLength }
    }

    public var isConcatenation: Bool { key.count > 1 }
}
