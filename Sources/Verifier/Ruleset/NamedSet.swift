/// A set or map with its elements.
public struct NamedSet: Hashable, Sendable {
    public let name: String
    /// NFT_SET_*.
    public let flags: UInt32
    public let keyLength: Int
    /// The lengths of a concatenation's parts; empty where the kernel tells none.
    public let fields: [Int]
    public var elements: [Element]

    public init(
        name: String, flags: UInt32, keyLength: Int, fields: [Int] = [], elements: [Element] = []
    ) {
        self.name = name
        self.flags = flags
        self.keyLength = keyLength
        self.fields = fields
        self.elements = elements
    }

    public var isAnonymous: Bool { flags & 0x1 != 0 }
    public var isInterval: Bool { flags & 0x4 != 0 }
    public var isMap: Bool { flags & (0x8 | 0x40) != 0 }

    /// One element, or one interval.
    public struct Element: Hashable, Sendable {
        /// The lowest and the highest key, both inside.
        public let low: [UInt8]
        public let high: [UInt8]
        public let value: Value
        public let comment: String?
        /// Whether it goes by itself after a while.
        public let expires: Bool
        /// Whether an expression of its own decides that it matches: a limit, a quota.
        public let matchesSometimes: Bool
        /// Matches what no other element does.
        public let isCatchAll: Bool

        public init(
            low: [UInt8], high: [UInt8], value: Value = .none, comment: String? = nil,
            expires: Bool = false, matchesSometimes: Bool = false, isCatchAll: Bool = false
        ) {
            self.low = low
            self.high = high
            self.value = value
            self.comment = comment
            self.expires = expires
            self.matchesSometimes = matchesSometimes
            self.isCatchAll = isCatchAll
        }
    }

    public enum Value: Hashable, Sendable {
        case none
        case data([UInt8])
        case verdict(RuleVerdict)
        case object(String)
    }
}
