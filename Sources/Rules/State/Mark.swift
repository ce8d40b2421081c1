/// A conntrack mark that Ringfence sets: a rule of one endpoint, or a peer class on the way to one.
///
/// The highest bit tells them apart, so that a class left in a refused flow's mark can never be
/// taken for a rule. 0 is neither.
public struct Mark: RawRepresentable, Hashable, Sendable, Comparable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The bit that every rule's mark has and no class has.
    public static let ruleBit: UInt32 = 0x8000_0000

    /// A rule's mark made of the low bits of a hash.
    public static func rule(hash: UInt64) -> Mark {
        Mark(rawValue: UInt32(truncatingIfNeeded: hash ^ hash >> 32) | ruleBit)
    }

    /// A class made of the low bits of a hash; never 0.
    public static func peerClass(hash: UInt64) -> Mark {
        let bits = UInt32(truncatingIfNeeded: hash ^ hash >> 32) & ~ruleBit
        return Mark(rawValue: max(bits, 1))
    }

    public var isRule: Bool { rawValue & Self.ruleBit != 0 }

    public static func < (left: Mark, right: Mark) -> Bool { left.rawValue < right.rawValue }
}

extension Mark: CustomStringConvertible {
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
