internal import NetTypes

/// Where packets part at a comparison.
extension Machine {
    /// The packets for which the bytes are given ones, and those for which they aren't.
    func split(
        _ space: Space, _ bytes: ArraySlice<SymbolicByte>, equal wanted: ArraySlice<UInt8>
    ) -> (equal: Space?, other: [Space]) {
        var cubes: [(field: Int, mask: UInt128, value: UInt128)] = []
        for (byte, constant) in zip(bytes, wanted) {
            if byte.field < 0 {
                if byte.flip != constant { return (nil, [space]) }
                continue
            }
            let value = byte.flip ^ constant
            if value & ~byte.mask != 0 { return (nil, [space]) }
            let field = Int(byte.field)
            let shift = UInt128(8 * (fields.widths[field] - 1 - Int(byte.index)))
            let mask = UInt128(byte.mask) << shift
            let number = UInt128(value) << shift
            if let last = cubes.indices.last, cubes[last].field == field,
                cubes[last].mask & mask == 0
            {
                cubes[last].mask |= mask
                cubes[last].value |= number
            } else {
                cubes.append((field, mask, number))
            }
        }
        var (rest, other): (Space, [Space]) = (space, [])
        for cube in cubes {
            let width = fields.widths[cube.field]
            let (inside, outside) = rest.domain(cube.field, width: width)
                .split(by: .init(mask: cube.mask, value: cube.value), bytes: width)
            if !outside.isEmpty { other.append(rest.setting(cube.field, outside)) }
            if inside.isEmpty { return (nil, other) }
            rest.set(cube.field, inside)
        }
        return (rest, other)
    }

    /// The packets for which the bytes are lower than given ones, the same, and higher, compared
    /// like `memcmp` does.
    func split(
        _ space: Space, _ bytes: ArraySlice<SymbolicByte>, order wanted: ArraySlice<UInt8>
    ) -> (lower: [Space], equal: [Space], higher: [Space]) {
        if case .field(let field, false) = bytes.part(length: bytes.count, widths: fields.widths) {
            return byRange(space, field, UInt128(networkBytes: wanted))
        }
        var (lower, higher): ([Space], [Space]) = ([], [])
        var rest: Space? = space
        for (byte, constant) in zip(bytes, wanted) {
            guard let here = rest else { break }
            // From the highest bit down: the first one that differs decides.
            var same: Space? = here
            for bit in (0..<8).reversed() {
                guard let now = same else { break }
                let only = [byte.masked(1 << UInt8(bit), flip: 0)][...]
                let (isOn, isOff) = split(now, only, equal: [1 << UInt8(bit)])
                if constant & (1 << UInt8(bit)) != 0 {
                    lower += isOff
                    same = isOn
                } else {
                    higher += [isOn].compactMap(\.self)
                    same = isOff.first
                }
            }
            rest = same
        }
        return (lower, [rest].compactMap(\.self), higher)
    }

    private func byRange(
        _ space: Space, _ field: Int, _ number: UInt128
    ) -> (lower: [Space], equal: [Space], higher: [Space]) {
        let width = fields.widths[field]
        let domain = space.domain(field, width: width)
        let (equal, other) = domain.split(by: IntervalSet(number...number), bytes: width)
        let below = number > 0 ? IntervalSet<UInt128>(0...(number - 1)) : IntervalSet()
        let (lower, higher) = other.split(by: below, bytes: width)
        func spaces(_ domain: Domain) -> [Space] {
            domain.isEmpty ? [] : [space.setting(field, domain)]
        }
        return (spaces(lower), spaces(equal), spaces(higher))
    }

    /// The packets for which a comparison holds, and all others.
    func parts(
        _ comparison: Expression.Comparison, _ bytes: ArraySlice<SymbolicByte>, _ wanted: [UInt8],
        _ space: Space
    ) -> (matching: [Space], others: [Space]) {
        switch comparison {
        case .equal:
            let (equal, other) = split(space, bytes, equal: wanted[...])
            return ([equal].compactMap(\.self), other)
        case .notEqual:
            let (equal, other) = split(space, bytes, equal: wanted[...])
            return (other, [equal].compactMap(\.self))
        case .less, .atMost, .greater, .atLeast:
            let (lower, equal, higher) = split(space, bytes, order: wanted[...])
            return switch comparison {
            case .less: (lower, equal + higher)
            case .atMost: (lower + equal, higher)
            case .greater: (higher, lower + equal)
            default: (higher + equal, lower)
            }
        }
    }

    func range(
        _ from: Int, _ low: [UInt8], _ high: [UInt8], _ inverted: Bool, _ state: MachineState
    ) -> [Branch] {
        let bytes = state.registers[from..<(from + low.count)]
        let (below, atLow, above) = split(state.space, bytes, order: low[...])
        var (inside, outside) = ([Space](), below)
        for space in atLow + above {
            let (lower, equal, higher) = split(space, bytes, order: high[...])
            inside += lower + equal
            outside += higher
        }
        return inverted
            ? branches(state, outside, inside) : branches(state, inside, outside)
    }

    private func branches(
        _ state: MachineState, _ matching: [Space], _ others: [Space]
    ) -> [Branch] {
        others.map { Branch(state.with($0), .miss) }
            + matching.map { Branch(state.with($0), .next) }
    }
}
