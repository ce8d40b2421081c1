internal import NetTypes

extension Machine {
    /// What an expression does to the packets of a state.
    mutating func perform(
        _ operation: FlatRuleset.Operation, _ state: MachineState
    ) -> [Branch] {
        if fields.hasImages, let image = image(readBy: operation, state) {
            return parted(by: image, state)
        }
        switch operation.expression {
        case .payload(let base, let offset, let length, let into):
            return load(readPayload(base, offset, length, state), length, into, state)
        case .meta(let key, let into):
            return load(readMeta(key, state), nil, into, state)
        case .ct(let key, let direction, let into):
            return load(readCt(key, direction, state), nil, into, state)
        case .header(let kind, let type, let offset, let length, let isPresence, let into):
            return load(
                readHeader(kind, type, offset, length, isPresence), nil, into, state)
        case .compare(let comparison, let from, let bytes):
            let slice = state.registers[from..<(from + bytes.count)]
            let (matching, others) = parts(comparison, slice, bytes, state.space)
            return others.map { Branch(state.with($0), .miss) }
                + matching.map { Branch(state.with($0), .next) }
        case .range(let from, let low, let high, let inverted):
            return range(from, low, high, inverted, state)
        case .mask, .shift, .byteorder, .load:
            return calculate(operation.expression, state)
        case .lookup(_, let key, let into, let inverted):
            guard operation.target >= 0 else {
                return [Branch(state, .stop("a set that was not read"))]
            }
            return lookup(operation.target, key, into, inverted, state)
        case .dynset(_, _, let deletes, _):
            return deletes ? [Branch(state, .next)] : eitherWay(state)
        case .verdict(let verdict): return [Branch(state, .verdict(verdict))]
        case .reject: return [Branch(state, .verdict(.drop))]
        case .harmless: return [Branch(state, .next)]
        case .sometimes: return eitherWay(state)
        case .unknowable(_, let length, let into): return anyValue(length, into, state)
        case .unknown(let name): return [Branch(state, .stop("expression '\(name)'"))]
        case .setPayload, .setMeta, .setCt, .notrack, .translate:
            return write(operation.expression, state)
        }
    }

    /// Matches or not, by something that is no property of the packet.
    mutating func eitherWay(_ state: MachineState) -> [Branch] {
        let number = fields.number(
            of: .chance(chain: state.chain, rule: state.rule, expression: state.expression))
        let (no, yes) = state.space.domain(number, width: 1)
            .split(by: IntervalSet(0...0), bytes: 1)
        var branches: [Branch] = []
        if !no.isEmpty {
            branches.append(Branch(state.with(state.space.setting(number, no)), .miss))
        }
        if !yes.isEmpty {
            branches.append(Branch(state.with(state.space.setting(number, .single(1))), .next))
        }
        return branches
    }

    /// A value of which nothing is known, or none at all.
    private mutating func anyValue(
        _ length: Int, _ into: Int, _ state: MachineState
    ) -> [Branch] {
        eitherWay(state).map { branch in
            guard case .next = branch.effect else { return branch }
            let number = fields.number(
                of: .chance(chain: state.chain, rule: state.rule, expression: -1 - into),
                width: min(length, 16))
            var next = branch.state
            next.put(
                (0..<min(length, 16)).map { SymbolicByte(field: number, index: $0) }, at: into)
            return Branch(next, .next)
        }
    }

    /// Puts what was read into registers, the rest of the last word set to 0.
    private func load(
        _ reading: Reading, _ length: Int?, _ into: Int, _ state: MachineState
    ) -> [Branch] {
        switch reading {
        case .bytes(let bytes):
            var next = state
            next.put(bytes, at: into)
            return [Branch(next, .next)]
        case .none: return [Branch(state, .miss)]
        case .parts(let spaces): return spaces.map { Branch(state.with($0), .again) }
        case .unknown(let reason): return [Branch(state, .stop(reason))]
        }
    }

    private func calculate(_ expression: Expression, _ state: MachineState) -> [Branch] {
        var next = state
        return calculate(expression, in: &next)
            ? [Branch(next, .next)] : [Branch(state, .stop("bitwise shift of a field"))]
    }

    /// Puts what comes of registers into registers; false where that can't be followed.
    func calculate(_ expression: Expression, in state: inout MachineState) -> Bool {
        switch expression {
        case .mask(let from, let into, let mask, let flip):
            let bytes = zip(zip(mask, flip), state.registers[from...]).map {
                $1.masked($0.0, flip: $0.1)
            }
            state.put(bytes, at: into)
        case .byteorder(let from, let into, let length, let part):
            let bytes = Array(state.registers[from..<(from + length)])
            var result: [SymbolicByte] = []
            for start in stride(from: 0, to: length, by: max(part, 1)) {
                result += bytes[start..<min(start + part, length)].reversed()
            }
            state.put(result, at: into)
        case .load(let bytes, let into):
            state.put(bytes.map { SymbolicByte(constant: $0) }, at: into)
        case .shift(let left, let from, let into, let length, let bits):
            let bytes = Array(state.registers[from..<(from + length)])
            guard let result = Self.shifted(bytes, left: left, bits: bits) else { return false }
            state.put(result, at: into)
        default: break
        }
        return true
    }

    /// Words in the host's byte order, shifted together: the carry goes from word to word.
    private static func shifted(
        _ bytes: [SymbolicByte], left: Bool, bits: Int
    ) -> [SymbolicByte]? {
        guard bytes.count == 4 else { return nil }
        let known = bytes.compactMap(\.constant)
        if known.count == 4 {
            let number = UInt32(networkBytes: known.reversed())
            let result = left ? number << UInt32(bits) : number >> UInt32(bits)
            return result.networkBytes.reversed().map { SymbolicByte(constant: $0) }
        }
        guard bits % 8 == 0 else { return nil }
        let moved = bits / 8
        let zeros = [SymbolicByte](repeating: .zero, count: min(moved, 4))
        return left
            ? zeros + bytes.dropLast(min(moved, 4)) : Array(bytes.dropFirst(min(moved, 4))) + zeros
    }
}

/// What comes of an attempt to read something of a packet.
enum Reading {
    case bytes([SymbolicByte])
    /// There is nothing to read, so the rule doesn't match.
    case none
    /// It depends on the packet: these are the cases.
    case parts([Space])
    case unknown(String)
}

extension MachineState {
    mutating func put(_ bytes: [SymbolicByte], at place: Int) {
        let end = min(place + ((bytes.count + 3) & ~3), registers.count)
        for index in place..<end {
            registers[index] = index - place < bytes.count ? bytes[index - place] : .zero
        }
    }
}
