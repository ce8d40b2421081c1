internal import NetTypes

/// What rules ask of the packet's surroundings and of its flow.
extension Machine {
    mutating func readMeta(_ key: UInt32, _ state: MachineState) -> Reading {
        // The ethertype and the family are the same on every way.
        if key != 1, key != 15 { asksForWay = true }
        switch key {
        case 1: return constant(scenario.family == .v4 ? [0x08, 0x00] : [0x86, 0xdd])
        case 3: return field(Place.packetMark, state, host: true)
        case 4: return field(Place.input, state, host: true)
        case 5: return field(Place.output, state, host: true)
        case 6: return name(of: Place.input, key, state)
        case 7: return name(of: Place.output, key, state)
        case 8, 21: return property(of: Place.input, key, state)
        case 9, 22: return property(of: Place.output, key, state)
        case 15: return constant([scenario.family == .v4 ? 2 : 10])
        case 16: return field(Place.layer4, state)
        case 12, 19: return read(.meta(key), width: 1, state)
        case 30: return read(.meta(key), width: 8, state, host: true)
        case 31: return read(.meta(key), width: 1, state)
        // Some of them are no properties of the packet: whatever they are, the policy has to hold.
        case 0, 2, 13, 20, 23, 24, 25, 32:
            return read(.meta(key), width: 4, state, host: true)
        case 10, 11:
            // Whose socket it is; there may be none.
            let number = fields.number(of: .meta(key | 0x1000))
            if let spaces = cases(number, [IntervalSet(0...0)], state) { return .parts(spaces) }
            if state.space.domain(number, width: 1).only == 0 { return .none }
            return read(.meta(key), width: 4, state, host: true)
        default: return .unknown("meta key \(key)")
        }
    }

    /// Each known interface is a case of its own.
    private func eachInterface(_ place: Int, _ state: MachineState) -> [Space]? {
        cases(
            place,
            [IntervalSet(0...0)]
                + interfaces.map { IntervalSet(UInt128($0.index)...UInt128($0.index)) }, state)
    }

    private mutating func name(
        of place: Int, _ key: UInt32, _ state: MachineState
    ) -> Reading {
        if let spaces = eachInterface(place, state) { return .parts(spaces) }
        let index = state.space.domain(place, width: 4).first
        let known = interfaces.first { UInt128($0.index) == index }
        guard let name = index == 0 ? "" : known?.name else {
            return read(.meta(key), width: 16, state)
        }
        let bytes = Array(name.utf8.prefix(15))
        return constant(bytes + [UInt8](repeating: 0, count: 16 - bytes.count))
    }

    /// A number of an interface, where there is one.
    private mutating func property(
        of place: Int, _ key: UInt32, _ state: MachineState
    ) -> Reading {
        if let spaces = cases(place, [IntervalSet(0...0)], state) { return .parts(spaces) }
        if state.space.domain(place, width: 4).first == 0 { return .none }
        let width = key == 8 || key == 9 ? 2 : 4
        return read(.meta(key), width: width, state, host: true)
    }

    mutating func readCt(
        _ key: UInt32, _ direction: Expression.CtDirection?, _ state: MachineState
    ) -> Reading {
        if key == 0 || key == 1 { asksForWay = true }
        if key == 0 { return readState(state) }
        guard state.tracking == .tracked else { return .none }
        switch key {
        case 1: return constant([scenario.isReply ? 1 : 0])
        case 2: return field(Place.connectionStatus, state, host: true)
        case 3: return readMark(state)
        case 7: return constant([scenario.family == .v4 ? 2 : 10])
        case 10:
            return scenario.isError
                ? read(.ct(10, 2), state) : field(Place.layer4, state)
        case 8, 9: return address(isSource: key == 8, direction ?? .original, state)
        case 19, 20:
            if scenario.family == .v6 { return .none }
            return address(isSource: key == 19, direction ?? .original, state)
        case 21, 22:
            if scenario.family == .v4 { return .none }
            return address(isSource: key == 21, direction ?? .original, state)
        case 11, 12: return port(isSource: key == 11, direction ?? .original, state)
        case 6, 13:
            let number = fields.number(of: .ct(key, 2), width: 16)
            return field(number, state)
        case 17: return read(.ct(key, 2), width: 2, state, host: true)
        case 14, 15, 16:
            return read(.ct(key, direction?.rawValue ?? 2), width: 8, state, host: true)
        case 4, 5, 18, 23:
            return read(.ct(key, 2), width: 4, state, host: true)
        default: return .unknown("ct key \(key)")
        }
    }

    private mutating func readState(_ state: MachineState) -> Reading {
        switch state.tracking {
        case .later: return constant([UInt8(StateBit.invalid), 0, 0, 0])
        case .untracked where scenario.flow != .none:
            return constant([UInt8(StateBit.untracked), 0, 0, 0])
        default: return read(.ct(0, 2), width: 4, state, host: true)
        }
    }

    /// Only a flow that a helper announced begins with a mark.
    private mutating func readMark(_ state: MachineState) -> Reading {
        if scenario.flow == .first, state.written[Place.connectionMark] == nil {
            let number = fields.number(of: .ct(0, 2), width: 4)
            let new = UInt128(StateBit.new)
            if let spaces = cases(number, [IntervalSet(new...new)], state) {
                return .parts(spaces)
            }
            if state.space.domain(number, width: 4).only == new { return constant([0, 0, 0, 0]) }
        }
        return field(Place.connectionMark, state, host: true)
    }

    /// An address of the flow as connection tracking keeps it.
    private func address(
        isSource: Bool, _ side: Expression.CtDirection, _ state: MachineState
    ) -> Reading {
        // Whose address it is: who opened the flow, or who was called.
        let isCaller = isSource == (side == .original)
        if scenario.isError {
            return field(isCaller == scenario.isCalled ? Place.flowPeer : Place.flowSelf, state)
        }
        let place = isCaller != scenario.isReply ? Place.source : Place.destination
        if side == .reply { return field(place, state) }
        return .bytes(
            (0..<scenario.addressWidth).map { SymbolicByte(field: place, index: $0) })
    }

    private mutating func port(
        isSource: Bool, _ side: Expression.CtDirection, _ state: MachineState
    ) -> Reading {
        if side == .original {
            return field(isSource ? Place.flowSource : Place.flowDestination, state)
        }
        asksForWay = true
        if !scenario.isError, let spaces = cases(Place.layer4, [Self.withPorts], state) {
            return .parts(spaces)
        }
        let layer4 = state.space.domain(Place.layer4, width: 1).first
        guard !scenario.isError, Self.withPorts.contains(layer4) else {
            return read(.ct(isSource ? 11 : 12, 1), width: 2, state)
        }
        if isSource, !scenario.isReply {
            let high = state.written[fields.number(of: .payload(.transport, offset: 2))]?[0]
            let low = state.written[fields.number(of: .payload(.transport, offset: 3))]?[0]
            if let high, let low { return .bytes([high, low]) }
        }
        return field(isSource ? Place.flowDestination : Place.flowSource, state)
    }
}
