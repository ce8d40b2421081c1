internal import NetTypes

/// What rules change about a packet or its flow.
extension Machine {
    mutating func write(_ expression: Expression, _ state: MachineState) -> [Branch] {
        var next = state
        switch expression {
        case .setMeta(let key, let from):
            // NFT_META_MARK; priority, class and traces decide nothing here.
            if key == 3 {
                next.written[Place.packetMark] = state.registers[from..<(from + 4)].reversed()
            } else if ![2, 12, 13, 19, 26].contains(key) {
                return [Branch(state, .stop("meta set key \(key)"))]
            }
        case .setCt(let key, let from):
            guard state.tracking == .tracked else { return [Branch(state, .next)] }
            switch key {
            case 3:
                next.written[Place.connectionMark] = state.registers[from..<(from + 4)].reversed()
                next.note()
            case 13, 18, 4: break
            default: return [Branch(state, .stop("ct set key \(key)"))]
            }
        case .notrack:
            if state.tracking == .later { next.tracking = .untracked }
            next.note()
        case .setPayload(let base, let offset, let length, let from):
            let bytes = Array(state.registers[from..<(from + length)])
            guard overwrite(base, offset, bytes, &next) else {
                return [Branch(state, .stop("a change of the packet's headers"))]
            }
            next.note()
        case .translate(let translation): return translate(translation, state)
        default: break
        }
        return [Branch(next, .next)]
    }

    /// Writes header bytes; false for those that have a meaning elsewhere and are not followed.
    private mutating func overwrite(
        _ base: Expression.PayloadBase, _ offset: Int, _ bytes: [SymbolicByte],
        _ state: inout MachineState
    ) -> Bool {
        let isV4 = scenario.family == .v4
        if base == .network {
            let (sourceAt, width) = isV4 ? (12, 4) : (8, 16)
            if offset == sourceAt, bytes.count == width {
                state.written[Place.source] = bytes
                return true
            }
            if offset == sourceAt + width, bytes.count == width {
                state.written[Place.destination] = bytes
                return true
            }
            if offset == (isV4 ? 8 : 7), bytes.count == 1 {
                state.written[Place.hopLimit] = bytes
                return true
            }
            if offset + bytes.count > sourceAt || (offset...(offset + bytes.count - 1)).contains(9),
                isV4
            {
                return false
            }
            if !isV4, offset + bytes.count > 6 { return false }
        }
        guard base != .inner else { return false }
        for (index, byte) in bytes.enumerated() {
            state.written[fields.number(of: .payload(base, offset: offset + index))] = [byte]
        }
        return true
    }

    private mutating func translate(
        _ translation: Expression.Translation, _ state: MachineState
    ) -> [Branch] {
        // The first translation of each end stands.
        let isSource = translation.kind == .source || translation.kind == .masquerade
        let ends: [Expression.Translation.Kind] =
            isSource ? [.source, .masquerade] : [.destination, .redirect]
        if ends.contains(where: state.translated.contains) {
            return [Branch(state, .verdict(.accept))]
        }
        var next = state
        next.note()
        next.translated.insert(translation.kind)
        if let registers = translation.address {
            let width = scenario.addressWidth
            let low = Array(state.registers[registers.low..<(registers.low + width)])
            let high = Array(state.registers[registers.high..<(registers.high + width)])
            next.written[isSource ? Place.source : Place.destination] =
                low == high ? low : any(width)
        } else if translation.kind == .redirect, scenario.way == .outgoing {
            let loopback: IPAddress = scenario.family == .v4 ? .v4(0x7f00_0001) : .v6(1)
            next.written[Place.destination] = loopback.bytes.map { SymbolicByte(constant: $0) }
        }
        if let registers = translation.port {
            let offset = isSource ? 0 : 2
            let low = Array(state.registers[registers.low..<(registers.low + 2)])
            let high = Array(state.registers[registers.high..<(registers.high + 2)])
            for (index, byte) in (low == high ? low : any(2)).enumerated() {
                let number = fields.number(of: .payload(.transport, offset: offset + index))
                next.written[number] = [byte]
            }
        }
        let bit = isSource ? StatusBit.sourceTranslated : StatusBit.destinationTranslated
        var status =
            next.written[Place.connectionStatus]
            ?? (0..<4).map { SymbolicByte(field: Place.connectionStatus, index: $0) }
        let flip = UInt8(truncatingIfNeeded: bit)
        status[3] = status[3].masked(~flip, flip: flip)
        next.written[Place.connectionStatus] = status
        return [Branch(next, .verdict(.accept))]
    }

    /// A value of which nothing is known.
    private mutating func any(_ width: Int) -> [SymbolicByte] {
        let number = fields.number(
            of: .chance(chain: -1, rule: -1, expression: fields.fields.count), width: width)
        return (0..<width).map { SymbolicByte(field: number, index: $0) }
    }
}
