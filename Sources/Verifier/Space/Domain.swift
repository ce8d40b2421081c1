internal import NetTypes

/// The values that a field of a packet may have: numbers, most significant byte first.
enum Domain: Hashable {
    case single(UInt128)
    case ranges(IntervalSet<UInt128>)
    /// A union of disjoint cubes, for numbers of which rules look at scattered bits.
    case cubes([Cube])

    /// The numbers with given values of some bits.
    struct Cube: Hashable {
        /// The bits that are fixed.
        let mask: UInt128
        let value: UInt128
    }

    static let none = Domain.ranges(IntervalSet())

    static func all(bytes: Int) -> Domain { .ranges(IntervalSet(0...greatest(bytes: bytes))) }

    static func greatest(bytes: Int) -> UInt128 {
        bytes >= 16 ? .max : (1 << UInt128(8 * bytes)) - 1
    }

    init(_ set: IntervalSet<UInt128>) {
        if set.ranges.count == 1, let only = set.ranges.first,
            only.lowerBound == only.upperBound
        {
            self = .single(only.lowerBound)
        } else {
            self = .ranges(set)
        }
    }

    private init(_ cubes: [Cube]) { self = cubes.isEmpty ? .none : .cubes(cubes) }

    var isEmpty: Bool {
        switch self {
        case .single: false
        case .ranges(let set): set.isEmpty
        case .cubes(let cubes): cubes.isEmpty
        }
    }

    /// A number that stands for the others.
    var first: UInt128 {
        switch self {
        case .single(let number): number
        case .ranges(let set): set.ranges.first?.lowerBound ?? 0
        case .cubes(let cubes): cubes.first?.value ?? 0
        }
    }

    /// The only number, if there is one.
    var only: UInt128? {
        if case .single(let number) = self { number } else { nil }
    }

    func contains(_ number: UInt128) -> Bool {
        switch self {
        case .single(let only): only == number
        case .ranges(let set): set.contains(number)
        case .cubes(let cubes): cubes.contains { number & $0.mask == $0.value }
        }
    }

    /// Whether a number of a range may be among them.
    func meets(_ range: ClosedRange<UInt128>) -> Bool {
        switch self {
        case .single(let number): range.contains(number)
        case .ranges(let set): set.meets(range)
        case .cubes: true
        }
    }

    /// The numbers inside a set, and those outside.
    func split(by set: IntervalSet<UInt128>, bytes: Int) -> (inside: Domain, outside: Domain) {
        switch self {
        case .single(let number):
            return set.contains(number) ? (self, .none) : (.none, self)
        case .ranges(let own):
            return (Domain(own.intersection(set)), Domain(own.subtracting(set)))
        case .cubes(let cubes):
            let all = IntervalSet(0...Self.greatest(bytes: bytes))
            return (
                Domain(Self.product(cubes, Cube.covering(set, bytes: bytes))),
                Domain(Self.product(cubes, Cube.covering(all.subtracting(set), bytes: bytes)))
            )
        }
    }

    func intersection(_ set: IntervalSet<UInt128>, bytes: Int) -> Domain {
        switch self {
        case .single(let number): set.contains(number) ? self : .none
        case .ranges(let own): Domain(own.intersection(set))
        case .cubes(let cubes):
            Domain(Self.product(cubes, Cube.covering(set, bytes: bytes)))
        }
    }

    /// The numbers that fit a cube, and those that don't.
    func split(by cube: Cube, bytes: Int) -> (inside: Domain, outside: Domain) {
        if cube.mask == 0 { return (self, .none) }
        if case .single(let number) = self {
            return number & cube.mask == cube.value ? (self, .none) : (.none, self)
        }
        if let range = cube.range(bytes: bytes) {
            return split(by: IntervalSet(range), bytes: bytes)
        }
        let own: [Cube] =
            switch self {
            case .cubes(let cubes): cubes
            case .ranges(let set): Cube.covering(set, bytes: bytes)
            case .single(let number):
                [Cube(mask: Self.greatest(bytes: bytes), value: number)]
            }
        var (inside, outside): ([Cube], [Cube]) = ([], [])
        for part in own {
            if let both = part.intersection(cube) { inside.append(both) }
            outside += part.subtracting(cube)
        }
        return (Domain(inside), Domain(outside))
    }

    private static func product(_ left: [Cube], _ right: [Cube]) -> [Cube] {
        left.flatMap { one in right.compactMap { one.intersection($0) } }
    }

    /// The numbers as ranges; nil where there are too many.
    func ranges(bytes: Int, limit: Int = 65_536) -> IntervalSet<UInt128>? {
        switch self {
        case .single(let number): return IntervalSet(number...number)
        case .ranges(let set): return set
        case .cubes(let cubes):
            var ranges: [ClosedRange<UInt128>] = []
            for cube in cubes {
                guard let more = cube.ranges(bytes: bytes, limit: limit - ranges.count) else {
                    return nil
                }
                ranges += more
            }
            return IntervalSet(ranges)
        }
    }
}
