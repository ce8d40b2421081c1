/// A set of addresses of both families.
public struct AddressSet: Hashable, Sendable {
    public var v4: IntervalSet<UInt32>
    public var v6: IntervalSet<UInt128>

    public init(v4: IntervalSet<UInt32> = .init(), v6: IntervalSet<UInt128> = .init()) {
        self.v4 = v4
        self.v6 = v6
    }

    public init(v4: ClosedRange<UInt32>) { self.init(v4: IntervalSet(v4)) }

    public init(v6: ClosedRange<UInt128>) { self.init(v6: IntervalSet(v6)) }

    public init(_ addresses: some Sequence<IPAddress>) {
        var four: [ClosedRange<UInt32>] = []
        var six: [ClosedRange<UInt128>] = []
        for address in addresses {
            switch address {
            case .v4(let number): four.append(number...number)
            case .v6(let number): six.append(number...number)
            }
        }
        self.init(v4: IntervalSet(four), v6: IntervalSet(six))
    }

    /// The union of networks in any order, in a time of n log n.
    public init(_ prefixes: some Sequence<Prefix>) {
        self.init(unionOf: prefixes.lazy.map(\.addresses))
    }

    /// The union of any number of sets, in a time of n log n: one at a time it would be quadratic.
    public init(unionOf sets: some Sequence<AddressSet>) {
        var four: [ClosedRange<UInt32>] = []
        var six: [ClosedRange<UInt128>] = []
        for set in sets {
            four += set.v4.ranges
            six += set.v6.ranges
        }
        self.init(v4: IntervalSet(four), v6: IntervalSet(six))
    }

    /// Both families whole.
    public static var all: AddressSet { AddressSet(v4: .all, v6: .all) }

    public var isEmpty: Bool { v4.isEmpty && v6.isEmpty }

    /// Equal for equal sets, in every process and release; it is no proof of equality.
    public var digest: UInt64 {
        var digest = Digest()
        for range in v4.ranges {
            digest.combine(range.lowerBound)
            digest.combine(range.upperBound)
        }
        digest.combine(v4.ranges.count)
        for range in v6.ranges {
            digest.combine(range.lowerBound)
            digest.combine(range.upperBound)
        }
        return digest.value
    }

    public func contains(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let number): v4.contains(number)
        case .v6(let number): v6.contains(number)
        }
    }

    public func union(_ other: AddressSet) -> AddressSet {
        AddressSet(v4: v4.union(other.v4), v6: v6.union(other.v6))
    }

    public func intersection(_ other: AddressSet) -> AddressSet {
        AddressSet(v4: v4.intersection(other.v4), v6: v6.intersection(other.v6))
    }

    public func subtracting(_ other: AddressSet) -> AddressSet {
        AddressSet(v4: v4.subtracting(other.v4), v6: v6.subtracting(other.v6))
    }
}
