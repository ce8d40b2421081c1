/// A 64-bit FNV-1a hash that is the same in every process and release.
///
/// Swift's `Hasher` is seeded per process, so nothing that outlives the process may use it. The
/// parameters are those of draft-eastlake-fnv-21.
public struct Digest: Sendable {
    @usableFromInline var state: UInt64 = 0xcbf2_9ce4_8422_2325

    public init() {}

    /// The hash of everything that was fed in.
    @inlinable public var value: UInt64 { state }

    @inlinable public mutating func combine(byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    /// Feeds a number's bytes, least significant first.
    @inlinable public mutating func combine(_ number: some FixedWidthInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) {
            combine(byte: UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    /// Feeds text and its length, so that two texts in a row can't be taken for two others.
    @inlinable public mutating func combine(_ text: String) {
        for byte in text.utf8 { combine(byte: byte) }
        combine(text.utf8.count)
    }
}
