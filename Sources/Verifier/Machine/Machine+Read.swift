internal import NetTypes

/// What rules read of a packet.
extension Machine {
    /// All bytes of a field, the most significant one first unless the host's order is asked for.
    func field(_ number: Int, _ state: MachineState, host: Bool = false) -> Reading {
        let width = fields.widths[number]
        let bytes =
            state.written[number] ?? (0..<width).map { SymbolicByte(field: number, index: $0) }
        return .bytes(host ? bytes.reversed() : bytes)
    }

    /// The same of a field that may be new: it is given its number before anything is read.
    mutating func read(
        _ kind: Field, width: Int = 1, _ state: MachineState, host: Bool = false
    ) -> Reading {
        let number = fields.number(of: kind, width: width)
        return field(number, state, host: host)
    }

    func constant(_ bytes: [UInt8]) -> Reading { .bytes(bytes.map { SymbolicByte(constant: $0) }) }

    /// Cuts where a field's values begin to mean something else; nil where only one is left.
    func cases(
        _ number: Int, _ groups: [IntervalSet<UInt128>], _ state: MachineState
    ) -> [Space]? {
        let width = fields.widths[number]
        let domain = state.space.domain(number, width: width)
        if domain.only != nil { return nil }
        var rest = domain
        var spaces: [Space] = []
        for group in groups {
            let (inside, outside) = rest.split(by: group, bytes: width)
            if !inside.isEmpty { spaces.append(state.space.setting(number, inside)) }
            rest = outside
        }
        if !rest.isEmpty { spaces.append(state.space.setting(number, rest)) }
        return spaces.count > 1 ? spaces : nil
    }

    /// The protocols whose first four bytes are ports, and the family's own ICMP.
    static let withPorts = IntervalSet<UInt128>([6...6, 17...17, 132...132])
    var ownICMP: IntervalSet<UInt128> {
        IntervalSet(UInt128(scenario.icmp)...UInt128(scenario.icmp))
    }

    mutating func readPayload(
        _ base: Expression.PayloadBase, _ offset: Int, _ length: Int, _ state: MachineState
    ) -> Reading {
        asksForWay = true
        switch base {
        case .network: return readNetwork(offset, length, state)
        case .transport: return readTransport(offset, length, state)
        case .link:
            // Packets that are sent have no link header yet, and some devices have none at all.
            if scenario.way == .outgoing { return .none }
            return readFree(.link, offset, length, state)
        case .inner: return .unknown("payload of the inner header")
        }
    }

    private mutating func readNetwork(
        _ offset: Int, _ length: Int, _ state: MachineState
    ) -> Reading {
        var bytes: [SymbolicByte] = []
        let isV4 = scenario.family == .v4
        let (sourceAt, width) = isV4 ? (12, 4) : (8, 16)
        if offset + length > (isV4 ? 20 : 40) { return readFree(.network, offset, length, state) }
        for at in offset..<(offset + length) {
            if at >= sourceAt {
                let isSource = at < sourceAt + width
                let place = isSource ? Place.source : Place.destination
                let index = at - sourceAt - (isSource ? 0 : width)
                bytes.append(
                    state.written[place]?[index] ?? SymbolicByte(field: place, index: index))
            } else if at == (isV4 ? 8 : 7) {
                bytes.append(
                    state.written[Place.hopLimit]?[0]
                        ?? SymbolicByte(field: Place.hopLimit, index: 0))
            } else if at == (isV4 ? 9 : 6) {
                if !isV4 {
                    let number = fields.number(of: .hasExtensions)
                    if let spaces = cases(number, [IntervalSet(0...0)], state) {
                        return .parts(spaces)
                    }
                    if state.space.domain(number, width: 1).only != 0 {
                        bytes.append(free(.payload(.network, offset: at)))
                        continue
                    }
                }
                bytes.append(SymbolicByte(field: Place.layer4, index: 0))
            } else {
                bytes.append(state.byte(fields.number(of: .payload(.network, offset: at))))
            }
        }
        return .bytes(bytes)
    }

    private mutating func free(_ field: Field) -> SymbolicByte {
        SymbolicByte(field: fields.number(of: field), index: 0)
    }

    /// Bytes of which nothing is known, where the packet is long enough.
    private mutating func readFree(
        _ base: Expression.PayloadBase, _ offset: Int, _ length: Int, _ state: MachineState
    ) -> Reading {
        let number = fields.number(of: .length(base), width: 2)
        let end = UInt128(offset + length)
        if let spaces = cases(number, [IntervalSet(end...0xffff)], state) { return .parts(spaces) }
        guard state.space.domain(number, width: 2).first >= end else { return .none }
        return .bytes(
            (offset..<(offset + length)).map {
                state.byte(fields.number(of: .payload(base, offset: $0)))
            })
    }

    private mutating func readTransport(
        _ offset: Int, _ length: Int, _ state: MachineState
    ) -> Reading {
        if scenario.flow == .none || scenario.isError || state.tracking == .later {
            return readFree(.transport, offset, length, state)
        }
        if let spaces = cases(Place.layer4, [Self.withPorts, ownICMP], state) {
            return .parts(spaces)
        }
        let layer4 = state.space.domain(Place.layer4, width: 1).first
        let hasPorts = Self.withPorts.contains(layer4)
        let isICMP = layer4 == UInt128(scenario.icmp)
        // TCP has 20 bytes at least; UDP and ICMP 8, SCTP 12.
        let least = layer4 == 6 ? 20 : hasPorts || isICMP ? 8 : 0
        let isShort = offset + length > least
        if isShort, case .parts(let spaces) = readFree(.transport, offset, length, state) {
            return .parts(spaces)
        }
        if isShort, case .none = readFree(.transport, offset, length, state) { return .none }
        return .bytes(
            (offset..<(offset + length)).map { at in
                let number = fields.number(of: .payload(.transport, offset: at))
                if let written = state.written[number]?[0] { return written }
                return flowByte(at, hasPorts: hasPorts, isICMP: isICMP)
                    ?? SymbolicByte(field: number, index: 0)
            })
    }

    /// The byte of the transport header that connection tracking keeps.
    private func flowByte(_ at: Int, hasPorts: Bool, isICMP: Bool) -> SymbolicByte? {
        let isReply = scenario.isReply
        if hasPorts, at < 4 {
            let isSource = (at < 2) != isReply
            return SymbolicByte(
                field: isSource ? Place.flowSource : Place.flowDestination, index: at % 2)
        }
        guard isICMP else { return nil }
        // An answer has a type of its own.
        if at < 2, !isReply { return SymbolicByte(field: Place.flowDestination, index: at) }
        return at == 4 || at == 5 ? SymbolicByte(field: Place.flowSource, index: at - 4) : nil
    }

    mutating func readHeader(
        _ kind: UInt32, _ type: UInt8, _ offset: Int, _ length: Int, _ isPresence: Bool
    ) -> Reading {
        asksForWay = true
        // Options and extensions can be there or not, whatever else the packet is.
        if isPresence { return .bytes([free(.header(kind: kind, type: type, offset: -1))]) }
        return .unknown("exthdr: a header option")
    }
}

extension MachineState {
    /// A field of one byte, as written or as it came.
    func byte(_ number: Int) -> SymbolicByte {
        written[number]?[0] ?? SymbolicByte(field: number, index: 0)
    }
}
