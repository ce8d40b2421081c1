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

    public init(_ prefixes: some Sequence<Prefix>) {
        self = prefixes.reduce(AddressSet()) { $0.union($1.addresses) }
    }

    /// Both families whole.
    public static var all: AddressSet { AddressSet(v4: .all, v6: .all) }

    public var isEmpty: Bool { v4.isEmpty && v6.isEmpty }

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
